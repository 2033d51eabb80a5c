"""From a filled form to a request that can be run, and back from a result that somebody drops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from impasto.client import Job, LongJob, Transfer, Upscale
from impasto.client.studio import explaining, forms
from impasto.client.studio.pictures import Kept, distinct
from impasto.client.studio.queue import Limits
from impasto.client.studio.records import Request
from impasto.client.studio.refusals import Refusal
from impasto.client.studio.served import Served

_LONGEST_LIST = 1000


def _found(entry: object, by_name: Mapping[str, str]) -> str | list[str] | None:
    """Return the ids for the names in a field, as far as there are such pictures."""
    if isinstance(entry, list):
        return [by_name[name] for name in cast("list[str]", entry) if name in by_name] or None
    return by_name.get(cast(str, entry))


class Orders:
    """Makes requests.

    Args:
        served: what the model server has.
        limits: of what may be asked for.
        address: the model server's, for the command lines.
    """

    def __init__(self, served: Served, limits: Limits, address: str) -> None:
        self._served = served
        self._limits = limits
        self._address = address

    async def request(self, kind: Any, values: Any, find: Callable[[str], Kept]) -> Request:
        """Return the request of a filled form.

        Args:
            kind: of job.
            values: the form's, with pictures by their ids.
            find: returns the picture of an id, or raises Refusal.

        Raises:
            Refusal: the kind, a field or a picture cannot be used, or the result would be too large.
        """
        if kind not in forms.KINDS:
            raise Refusal(422, f"kind is {kind!r}; it must be one of {', '.join(forms.KINDS)}", "kind")
        if not isinstance(values, dict) or any(
            isinstance(value, list) and len(cast("list[object]", value)) > _LONGEST_LIST
            for value in cast("dict[str, object]", values).values()
        ):
            raise Refusal(422, "fields must be an object with the fields of the job", "fields")
        given = cast("dict[str, Any]", values)
        if kind == forms.BENCH:
            return self._bench(given)
        if kind == forms.STRIP:
            given = forms.strip_values(given)
        found = {identity: find(identity) for _, identity in forms.picture_ids(kind, given)}
        names = dict(zip(found, distinct(kept.name for kept in found.values()), strict=True))
        if kind == forms.STRIP:
            command = f"impasto stylize {names[given['content']]} --sheet ..."
            forms.job_of(
                "stylize", forms.with_pictures({**given, "style": given["content"]}, names.__getitem__)
            )
            return Request(kind, given, names, None, "", command, "")
        job = forms.job_of(kind, forms.with_pictures(given, names.__getitem__))
        main = given[forms.MAIN_PICTURE[kind]]
        await self._check(job, found[main])
        return Request(
            kind,
            given,
            names,
            job,
            explaining.result_name(kind, names[main]),
            explaining.command(kind, job, address=self._address),
            explaining.python(kind, job, address=self._address),
        )

    def remembered(self, note: Mapping[str, Any] | None, there: Mapping[str, Kept]) -> dict[str, Any] | None:
        """Return the form that a note stands for, without pictures that are not there; None if it is none.

        Args:
            note: out of a PNG, so it may hold anything.
            there: the pictures by their ids.
        """
        kind, value = (note or {}).get("kind"), (note or {}).get("job")
        if not isinstance(kind, str) or kind not in forms.JOBS or not isinstance(value, dict):
            return None
        by_name = {kept.name: identity for identity, kept in there.items()}
        try:
            job = forms.JOBS[kind].from_json(cast("dict[str, Any]", value))
            fields = job.to_json()
            del fields["job"]
            fields["model"] = fields["model"]["name"]
            wanted = list(forms.picture_ids(kind, fields))
        except Exception:  # noqa: BLE001 - whatever a stranger's file holds, it is no note of ours then
            return None
        for name, _ in wanted:
            fields[name] = _found(fields[name], by_name)
        return {"kind": kind, "fields": {name: value for name, value in fields.items() if value is not None}}

    def _bench(self, given: dict[str, Any]) -> Request:
        unknown = [name for name in given if name != "model"]
        model = given.get("model")
        if unknown or not (model is None or (isinstance(model, str) and model)):
            raise Refusal(
                422, "a bench has one field: model, the name of a model", unknown[0] if unknown else "model"
            )
        command = f"impasto bench{'' if model is None else f' {model}'}"
        return Request(forms.BENCH, given, {}, None, "", command, "")

    async def _check(self, job: Job[Any, Any], picture: Kept) -> None:
        """Refuse what would keep a server busy for days, or need more memory than Studio gives."""
        if isinstance(job, Upscale):
            await self._check_size(job, picture)
        if isinstance(job, LongJob):
            values = cast(Any, job)
            steps = (
                values.epochs_at_size * values.steps_an_epoch if isinstance(job, Transfer) else values.steps
            )
            if (steps or 0) > self._limits.steps:
                name = "epochs" if isinstance(job, Transfer) else "steps"
                raise Refusal(
                    422,
                    f"{name}: {steps:,} steps at each size; Studio takes {self._limits.steps:,} at most",
                    name,
                )

    async def _check_size(self, job: Upscale, picture: Kept) -> None:
        width, height = picture.size
        name, most = "factor", self._limits.max_result_pixels
        if job.megapixels is not None:
            name, pixels = "megapixels", 1e6 * job.megapixels
        elif job.size is not None:
            name, scale = "size", min(job.size[0] / width, job.size[1] / height)
            pixels = width * height * scale**2
        else:
            factor = job.factor
            if factor is None:
                await self._served.refresh(within=2)
                factor = self._served.factor(cast(Any, job.model).name) or 2
            pixels = float(width * height)
            for one in (factor,) if isinstance(factor, int) else tuple(factor):
                pixels *= one**2
        if pixels > most:
            raise Refusal(
                422,
                f"{name}: the result would have {pixels / 1e6:,.0f} megapixels, and Studio makes {most / 1e6:,.0f} at "
                "most; take a smaller picture or a smaller result",
                name,
            )
