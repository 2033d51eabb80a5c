"""The layout of a model repository: manifests, the files of a version, and the comparison with the contract.

Exporters, servers and this client share it; nothing here needs TensorFlow.
"""
