from daemon.pulse import Pulse


def test_only_who_promised_can_be_late():
    pulse = Pulse()
    assert pulse.late(1e9) == ()
    pulse.beat("walk", 100.0, 60.0)
    pulse.beat("file", 100.0, 10.0)
    assert pulse.late(110.0) == ()
    assert pulse.late(110.1) == ("file",)
    assert pulse.late(161.0) == ("file", "walk")
    pulse.beat("walk", 161.0, 60.0)
    pulse.rest("file")
    pulse.rest("never there")
    assert pulse.late(220.0) == ()
