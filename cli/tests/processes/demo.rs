//! The demo, which fails by itself if anything it promises does not come to pass.

use crate::group::Group;
use crate::running::run;

#[test]
fn the_demo_tells_its_story() {
    let shown = run(&["demo", "--options", &Group::new().options(), "--timeout", "50s"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{:?}", shown.lines);
    for part in [
        "alice  is ready to exchange messages with bob",
        "carol  heard \"hello from alice\"",
        "alice  heard \"hello from carol\"",
        "took order 4 from alice",
        "receipt for order 4",
        "alice  sees bob go: it took its leave",
    ] {
        assert!(shown.lines.iter().any(|line| line.contains(part)), "{part}: {:#?}", shown.lines);
    }
    assert!(shown.lines.last().is_some_and(|line| line.starts_with("All of it arrived")));
}

#[test]
fn a_demo_whose_processes_can_t_find_each_other_says_what_is_missing() {
    let deaf = "discovery.interface=203.0.113.1"; // For documentation: no machine has it.
    let shown = run(&["demo", "--options", deaf, "--timeout", "1s"]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stderr.contains("after 1s this was still missing: "), "{}", shown.stderr);
    assert!(shown.stderr.contains("alice is not ready for bob"), "{}", shown.stderr);
}
