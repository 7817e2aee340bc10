"""Writes an archive with an index whose fields JavaScript would reorder, because one is named by a whole number."""
import importlib.util, pathlib
here = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("legacy", here.parent / "mongo-legacy-index" / "make.py")
legacy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(legacy)
legacy.write(here / "ordered.archive", "years", {
    "weights": ([{"_id": i, "name": "n%d" % i, "2024": i} for i in range(3)],
                [{"v": 2, "key": {"_id": 1}, "name": "_id_"},
                 {"v": 2, "key": {"name": 1, "2024": -1, 'a "key": {': 1, "7": 1.0}, "name": "by name"}], {}, "collection"),
}, version="6.0.5")
