"""Compose files, Kubernetes manifests, and a stand-in for the images on this machine's engine."""
