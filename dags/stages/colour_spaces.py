"""Which colour space a picture file says it is in, in all the ways in which files say it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

COLOUR_CONFIG = "ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3"
"""OCIO's built-in configuration, by its full name: `default` changes with OpenImageIO, and a
delivery should not. It does not depend on `$OCIO` either, which may differ from worker to
worker."""
LINEAR = "Linear Rec.709 (sRGB)"
SRGB = "sRGB - Display"
LINEAR_SPACES = frozenset({LINEAR, "Linear Rec.2020", "Linear P3-D65", "ACEScg", "ACES2065-1", "CIE-XYZ-D65"})
SPACES = {
    # What files say (the Color Interop Forum's identifiers, Blender's names, OpenImageIO's), and
    # what the configuration calls it.
    "lin_rec709_scene": LINEAR,
    "lin_rec709": LINEAR,
    "linear rec.709": LINEAR,
    "linear": LINEAR,
    "scene_linear": LINEAR,
    "lin_rec2020_scene": "Linear Rec.2020",
    "lin_p3d65_scene": "Linear P3-D65",
    "lin_ap1_scene": "ACEScg",
    "lin_ap0_scene": "ACES2065-1",
    "lin_ciexyzd65_scene": "CIE-XYZ-D65",
    "linear cie-xyz d65": "CIE-XYZ-D65",
    "srgb": SRGB,
    "srgb_rec709_scene": SRGB,
    "srgb_rec709_display": SRGB,
    "srgb iec61966-2.1": SRGB,
    "srgb_p3d65_scene": "sRGB Encoded P3-D65 - Texture",
    "srgb_p3d65_display": "Display P3 - Display",
    "display p3": "Display P3 - Display",
    "srgb_ap1_scene": "sRGB Encoded AP1 - Texture",
    "g18_rec709_scene": "Gamma 1.8 Rec.709 - Texture",
    "g22_rec709_scene": "Gamma 2.2 Rec.709 - Texture",
    "g22_rec709_display": "Gamma 2.2 Rec.709 - Texture",
    "gamma2.2": "Gamma 2.2 Rec.709 - Texture",
    "g22_ap1_scene": "Gamma 2.2 AP1 - Texture",
    "g24_rec709_display": "Rec.1886 Rec.709 - Display",
    "rec709": "Rec.1886 Rec.709 - Display",
    "rec.1886": "Rec.1886 Rec.709 - Display",
    "pq_rec2020_display": "Rec.2100-PQ - Display",
    "pq_p3d65_display": "ST2084-P3-D65 - Display",
    "g26_p3d65_display": "P3-D65 - Display",
}
_PRIMARIES = {
    # x and y of red, green, blue and white, as the attribute `chromaticities` of OpenEXR has them.
    LINEAR: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "Linear Rec.2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "Linear P3-D65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    "ACEScg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
}
_CICP = {
    # Primaries and transfer function, by the numbers of ITU-T H.273.
    (1, 13): SRGB,
    (1, 8): LINEAR,
    (1, 1): "Rec.1886 Rec.709 - Display",
    (12, 13): "Display P3 - Display",
    (9, 16): "Rec.2100-PQ - Display",
    (12, 16): "ST2084-P3-D65 - Display",
    (9, 8): "Linear Rec.2020",
}
_UNDEFINED = frozenset({"", "Undefined", "User defined"})
_OF_BLENDER = "Linear Rec.709, Linear Rec.2020, ACEScg, sRGB"
"""For messages: what Blender offers."""


class UnknownColourSpaceError(ValueError):
    """A colour space that is not known here. The message continues a file's name."""


def space_of(spec: Any) -> str:
    """The colour space that a file names, as `COLOUR_CONFIG` calls it.

    Where the file names none: linear light for floats, sRGB for whole numbers.

    Args:
        spec: OpenImageIO's header of the picture.

    Raises:
        UnknownColourSpaceError: when the file names one that is not known here.
    """
    import OpenImageIO as oiio

    said = spec.get_string_attribute("colorInteropID") or spec.get_string_attribute("oiio:ColorSpace")
    if not spec.get_string_attribute("colorInteropID"):
        if spec.get_int_attribute("acesImageContainerFlag"):
            return "ACES2065-1"
        cicp, primaries = spec.getattribute("CICP"), spec.getattribute("chromaticities")
        profile = spec.get_string_attribute("ICCProfile:profile_description")
        if cicp:
            return _known(_CICP.get((cicp[0], cicp[1])), f"CICP {tuple(cicp)}")
        if primaries and SPACES.get(said.casefold(), LINEAR) == LINEAR:
            near = (name for name, known in _PRIMARIES.items() if _alike(primaries, known))
            return _known(next(near, None), f"with the primaries {tuple(round(x, 4) for x in primaries)}")
        if spec.getattribute("ICCProfile") is not None:
            said = profile or "of an ICC profile without a name"
        transfer = spec.get_string_attribute("dpx:Transfer")
        said = said or (transfer if transfer not in _UNDEFINED else "")
    if not said:
        return LINEAR if spec.format.basetype in {oiio.HALF, oiio.FLOAT, oiio.DOUBLE} else SRGB
    return _known(SPACES.get(said.casefold()) or _of_config(said), said)


@cache
def _of_config(name: str) -> str | None:
    """A colour space by any name that the configuration has for it."""
    import OpenImageIO as oiio

    config = oiio.ColorConfig(COLOUR_CONFIG)
    resolved: str = config.resolve(name)
    return resolved if resolved in config.getColorSpaceNames() and resolved != "Raw" else None


def _alike(primaries: Sequence[float], known: Sequence[float]) -> bool:
    return all(abs(a - b) < 0.002 for a, b in zip(primaries, known, strict=True))


def _known(name: str | None, said: str) -> str:
    if name is None:
        raise UnknownColourSpaceError(
            f"is in a colour space that is not known here: {said}. Render in one of {_OF_BLENDER}"
        )
    return name
