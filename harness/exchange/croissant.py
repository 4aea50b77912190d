"""Describes a release in Croissant, the metadata format by which machine learning data sets are found and loaded.

The format is that of MLCommons, version 1.0: JSON-LD on schema.org. Who publishes a release adds what is theirs to say:
``license``, ``citeAs``, ``url``, ``datePublished``, ``creator``.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_ROWS = "rows"
_PARQUET = "application/x-parquet"  # the name that Croissant readers know
_CROISSANT_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _CROISSANT_TERMS},
}
_KINDS = (("CHAR", "sc:Text"), ("INT", "sc:Integer"), ("BOOL", "sc:Boolean"))
_NUMBER = "sc:Float"
_MAP = "MAP("


class ReleasedFile(NamedTuple):
    """A Parquet file of a release.

    Attributes:
        name: Its name in the folder.
        sha256: Hash of its content.
        n_bytes: Its size.
    """

    name: str
    sha256: str
    n_bytes: int


class ReleasedColumn(NamedTuple):
    """A column of the Parquet files.

    Attributes:
        name: Its name.
        sql_type: Its type as DuckDB names it, ``[]`` behind it if it holds lists.
        meaning: What it holds, in words.
    """

    name: str
    sql_type: str
    meaning: str


def describe_release(
    name: str, description: str, version: str, files: Sequence[ReleasedFile], columns: Sequence[ReleasedColumn]
) -> str:
    """Return the description of a release as JSON-LD.

    Args:
        name: What the data set is called.
        description: What it holds.
        version: Version of its layout, as ``1.0.0``.
        files: Its Parquet files, which all have the same columns.
        columns: Their columns. Those that hold maps are named in words alone: Croissant has no type for them.
    """
    maps = ", ".join(column.name for column in columns if column.sql_type.startswith(_MAP))
    fileset = {"@type": "cr:FileSet", "@id": _ROWS, "name": _ROWS, "encodingFormat": _PARQUET, "includes": "*.parquet"}
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "version": version,
        "distribution": [*(_file_object(file) for file in files), fileset],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "measurements",
                "name": "measurements",
                "description": "A row per network, protocol, condition, split, label set and calibrator. "
                f"The files also have columns of maps: {maps or 'none'}.",
                "field": [_field(column) for column in columns if not column.sql_type.startswith(_MAP)],
            }
        ],
    }
    return json.dumps(described, indent=1) + "\n"


def _file_object(file: ReleasedFile) -> Mapping[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.n_bytes} B",
        "encodingFormat": _PARQUET,
        "sha256": file.sha256,
    }


def _field(column: ReleasedColumn) -> Mapping[str, object]:
    kind = next((kind for part, kind in _KINDS if part in column.sql_type), _NUMBER)
    return {
        "@type": "cr:Field",
        "@id": f"measurements/{column.name}",
        "name": column.name,
        "description": column.meaning,
        "dataType": kind,
        **({"repeated": True} if column.sql_type.endswith("[]") else {}),
        "source": {"fileSet": {"@id": _ROWS}, "extract": {"column": column.name}},
    }
