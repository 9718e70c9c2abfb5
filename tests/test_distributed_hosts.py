"""Two and three hosts, with a network between them; one link is cut in mid-training."""

import re
import time

import hosts
import pytest
import together

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(hosts.missing() is not None, reason=str(hosts.missing())),
]
PROGRAMS = together.ROOT / "tests" / "mpi_programs"


@pytest.mark.parametrize(("count", "ranks"), [(2, 2), (3, 1)])
def test_collectives_over_tcp(tmp_path, count, ranks):
    with hosts.Hosts(count, tmp_path) as network:
        out, err = network.launch(ranks, PROGRAMS / "collectives.py").communicate(timeout=120)
    assert out.count("all as it should be") == count * ranks, err
    assert err == ""


@pytest.mark.parametrize("count", [2, 3])
def test_a_link_is_cut_in_training(tmp_path, count):
    with hosts.Hosts(count, tmp_path) as network:
        launcher = network.launch(1, "--timeout", 3, PROGRAMS / "training.py", tmp_path, 10_000)
        curve = tmp_path / "curve.txt"
        while not (curve.exists() and len(curve.read_text().splitlines()) > 20):
            assert launcher.poll() is None, launcher.communicate()
            time.sleep(0.05)
        trained = [int((tmp_path / f"process-{rank}").read_text()) for rank in range(count)]
        assert trained[-1] in network.processes(count)
        network.cut(count)
        start = time.monotonic()
        _, err = launcher.communicate(timeout=60)
        # 3 s of waiting, 2 s for an answer, 1 s to agree who says it, 5 s for mpiexec, which waits for the lost host
        assert time.monotonic() - start < 20
        assert launcher.returncode == 1
        said = re.findall("^minigrad.*", err, re.MULTILINE)
        assert len(said) == 1, err
        assert f"did not end in 3 s: rank {count - 1} (host{count}, process " in said[0]
        assert ") does not answer: stopped, killed, or cut off" in said[0]
        while set(trained) & {p for host in range(1, count + 1) for p in network.processes(host)}:
            assert time.monotonic() - start < 30, "a rank goes on"
            time.sleep(0.1)
