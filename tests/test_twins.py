"""两个脚本各自独立；同名的函数和类逐字相同。"""

import ast
import subprocess

from conftest import ASYNC, ROOT, SYNC


def definitions(name):
    source = (ROOT / name).read_text(encoding="utf-8")
    return {
        node.name: "\n".join(
            [*(ast.get_source_segment(source, decorator) for decorator in node.decorator_list)]
            + [ast.get_source_segment(source, node)]
        )
        for node in ast.parse(source).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }


def test_same_name_same_code():
    one, other = definitions(SYNC), definitions(ASYNC)
    shared = set(one) & set(other) - {"main"}
    assert len(shared) > 20
    assert [name for name in shared if one[name] != other[name]] == []


def test_only_requests_and_the_standard_library():
    allowed = {"requests", "urllib3"}
    for name in (SYNC, ASYNC):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        modules = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module.split(".")[0])
        assert not {m for m in modules if (ROOT / f"{m}.py").exists()}
        assert {m for m in modules if m in allowed} == allowed


def test_top_level():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in listing.splitlines()}
    names = {name for name in top if not name.startswith(".")}
    assert names <= {SYNC, ASYNC, "requirements.txt", "README.md", "tests"}
