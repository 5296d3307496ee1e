//! Scripts as they are written, and what is wrong with those that are none.

use alloc::string::ToString;

use proptest::prelude::*;

use super::*;
use crate::Seed;

fn fault(script: &str) -> String {
    script.parse::<Script>().expect_err(script).to_string()
}

#[test]
fn a_script_prints_as_it_would_best_be_written() {
    let written = "
        host a peer://g/a?memoryLimit=65536   # A comment.
        host c \"fanout:(multicast://default?group=g)?minAckCount=2\"
        # Another.
        broker b default

        subscribe a topic://t.>
        subscribe a orders
        send c topic://t hello
        send c topic://t \"\" 100 times
        send c topic://t \"say \\\"hi\\\"\\n # no comment\" 1 times every 1.5s
        answer a queue://q
        request c queue://q \"6 x 7\"
        unsubscribe a queue://q
        run 0.5s
        run 90000ms
        run 0h
        cut a b
        cut a -> b
        partition a  c
        heal
        heal a b
        crash a
        restart a
        pause a
        resume a
        reset a b
        stop a
        slow a 1000
        slow a off
        segment a 7
        segment a 1  2
        segment a none
        restart a empty
        power-off a
        sleep a
        clock a +60m
        clock a -0.5s
        faults none
        faults loss=5% delay=1ms..20ms
        faults datagram-delay=1ms stream-delay=0s..2ms local-delay=1us..3us reset=0.1% drift=0.0123% lateness=5ms
        faults buffer=4096 chunk=1 duplication=100% reordering=50% timeouts=1%
        faults disk-failure=1% disk-delay=1ms wall-skew=24h";
    let expected = "\
host a peer://g/a?memoryLimit=65536
host c fanout:(multicast://default?group=g)?minAckCount=2
broker b default
subscribe a topic://t.>
subscribe a queue://orders
send c topic://t hello
send c topic://t \"\" 100 times
send c topic://t \"say \\\"hi\\\"\\n # no comment\" 1 times every 1500ms
answer a queue://q
request c queue://q \"6 x 7\"
unsubscribe a queue://q
run 500ms
run 90s
run 0s
cut a b
cut a -> b
partition a c
heal
heal a b
crash a
restart a
pause a
resume a
reset a b
stop a
slow a 1000
slow a off
segment a 7
segment a 1 2
segment a none
restart a empty
power-off a
sleep a
clock a +1h
clock a -500ms
faults none
faults delay=1ms..20ms loss=5%
faults datagram-delay=1ms..1ms stream-delay=0s..2ms local-delay=1us..3us reset=0.1% drift=0.0123% lateness=5ms
faults duplication=100% reordering=50% timeouts=1% buffer=4096 chunk=1
faults disk-delay=1ms..1ms disk-failure=1% wall-skew=24h
";
    let script: Script = written.parse().unwrap();
    assert_eq!(script.to_string(), expected);
    assert_eq!(expected.parse(), Ok(script));
}

#[test]
fn what_is_no_script_is_told_by_line_and_column_with_the_part_and_what_was_expected() {
    let two = |line: &str| alloc::format!("host a peer://g\nhost b peer://g\n{line}");
    let cases = [
        ("leap a", "column 1: 'leap' can't stand here; expected one of: host, broker,"),
        ("crash", "column 6: the line ends; expected the name of a host"),
        ("  crash x", "column 9: there is no host 'x' yet; expected one of: a, b"),
        ("crash a b", "column 9: 'b' can't stand here; expected the end of the line"),
        ("cut a", "column 6: the line ends; expected another host, or ->"),
        ("cut a a", "column 7: 'a' can't stand here; expected another host"),
        ("cut a ->", "column 9: the line ends; expected another host"),
        ("partition", "column 10: the line ends; expected the name of a host"),
        ("partition a b a", "column 15: 'a' can't stand here; expected each host once"),
        ("request a queue://q.> x", "column 11: 'queue://q.>' can't stand here; expected a destination without"),
        ("run 5", "column 5: '5' can't stand here; expected a duration"),
        ("run 0.0000000001s", "column 5: '0.0000000001s' can't stand here; expected a duration"),
        ("run 169h", "column 5: '169h' can't stand here; expected a duration"),
        ("host a peer://g", "column 6: there is a host 'a' already; expected another name"),
        ("host -> peer://g", "column 6: '->' can't stand here; expected a new name"),
        ("host c vm://c", "column 8: 'vm://c' can't stand here; expected peer://GROUP or fanout:"),
        ("host c peer://g?memoryLimt=1", "column 17: 'memoryLimt' is no option"),
        ("host c peer://g?persistent=true", "column 8: persistent=true needs a store"),
        ("broker c g?x=1", "column 12: 'x' is no option"),
        ("subscribe a topic://", "column 13: "),
        ("send a topic://t.> x", "column 8: 'topic://t.>' can't stand here; expected a destination without"),
        ("send a topic://t", "column 17: the line ends; expected a text"),
        ("send a topic://t x 0 times", "column 20: '0' can't stand here; expected how many times, from 1 to 1000000"),
        ("send a topic://t x 5", "column 21: the line ends; expected times"),
        ("send a topic://t \"x", "column 18: '\"x' can't stand here; expected a '\"' at the end"),
        ("send a topic://t \"é\\q\"", "column 20: '\\q' can't stand here; expected one of"),
        ("slow a 0", "column 8: '0' can't stand here; expected a number of bytes a second, or off"),
        ("segment a -1", "column 11: '-1' can't stand here"),
        ("segment a", "column 10: the line ends; expected the numbers of segments, or none"),
        ("segment a none 1", "column 16: '1' can't stand here; expected the end of the line"),
        ("restart a full", "column 11: 'full' can't stand here; expected the end of the line"),
        ("clock a 1h", "column 9: '1h' can't stand here; expected how far the wall clock jumps"),
        ("clock a +é", "column 9: '+é' can't stand here; expected how far the wall clock jumps"),
        ("faults", "column 7: the line ends; expected none, or some of: loss=5%"),
        ("faults los=5%", "column 8: 'los=5%' can't stand here; expected none, or some of: loss=5%"),
        ("faults loss=101%", "column 13: '101%' can't stand here; expected a percentage"),
        ("faults loss=1% loss=1%", "column 16: 'loss=1%' can't stand here; expected each fault once"),
        ("faults delay=2ms..1ms", "column 14: '2ms..1ms' can't stand here; expected a delay"),
        ("faults buffer=0", "column 15: '0' can't stand here; expected a number of bytes"),
    ];
    for (line, expected) in cases {
        let found = fault(&two(line));
        assert!(found.starts_with(&alloc::format!("line 3, {expected}")), "{line}: {found}");
    }
    let many = (0..101).map(|number| alloc::format!("host h{number} peer://g")).collect::<Vec<_>>().join("\n");
    assert!(fault(&many).starts_with("line 101, column 6: 'h100' can't stand here; expected 100 hosts at most"));
}

#[test]
fn a_line_is_read_for_hosts_that_are_there() {
    let step = ScriptStep::parse("crash b # Now.", ["a", "b"]).unwrap();
    assert_eq!(step, Some(ScriptStep::Crash("b".into())));
    assert_eq!(ScriptStep::parse(" # Nothing.", []).unwrap(), None);
    let error = ScriptStep::parse("crash c", ["a", "b"]).expect_err("no such host").to_string();
    assert_eq!(error, "line 1, column 7: there is no host 'c' yet; expected one of: a, b");
}

#[test]
fn drawn_scripts_differ_and_stay_the_same() {
    let draw = |seed: u64, hosts| Script::draw(Seed::from(seed), hosts).to_string();
    assert_eq!(draw(1, 3), draw(1, 3));
    assert_ne!(draw(1, 3), draw(2, 3));
    assert_eq!(draw(1, 0).matches("host ").count(), 2);
    assert_eq!(draw(1, 1000).matches("host ").count(), 100);
    for seed in 0..200 {
        let script = Script::draw(Seed::from(seed), 2);
        assert_eq!(script.to_string().parse(), Ok(script));
    }
}

fn delay() -> impl Strategy<Value = Delay> {
    (0_u64..1 << 40, 0_u64..1 << 40)
        .prop_map(|(min, more)| Delay { min: Duration::from_nanos(min), max: Duration::from_nanos(min + more) })
}

prop_compose! {
    fn faults()(
        delays in [delay(), delay(), delay(), delay()],
        chances in [0_u32..=1_000_000, 0_u32..=1_000_000, 0..=1_000_000, 0..=1_000_000, 0..=1_000_000, 0..=1_000_000],
        drift_ppm_max in 0_u32..1_000_000,
        lateness in 0_u64..1 << 40,
        skew in 0_u64..1 << 40,
        buffer in 1_u64..,
        chunk_max in proptest::option::of(1_u32..),
    ) -> Faults {
        let [datagram_delay, stream_delay, local_delay, disk_delay] = delays;
        Faults {
            buffer, chunk_max, datagram_delay, local_delay, stream_delay, disk_delay, drift_ppm_max,
            datagram_duplication_ppm: chances[0],
            datagram_loss_ppm: chances[1],
            datagram_reordering_ppm: chances[2],
            lateness_max: Duration::from_nanos(lateness),
            reset_ppm: chances[3],
            spurious_timeout_ppm: chances[4],
            disk_failure_ppm: chances[5],
            wall_skew_max: Duration::from_nanos(skew),
        }
    }
}

fn step() -> impl Strategy<Value = ScriptStep> {
    let (a, b) = (|| String::from("a"), || String::from("b.c-d"));
    let duration = || (0_u64..1 << 49).prop_map(Duration::from_nanos);
    let send = (any::<String>(), 1_u32..=1_000_000, proptest::option::of(duration()));
    prop_oneof![
        faults().prop_map(|faults| ScriptStep::Faults(Box::new(faults))),
        duration().prop_map(ScriptStep::Run),
        any::<Vec<u32>>().prop_map(move |segments| ScriptStep::Segments(a(), segments)),
        duration().prop_map(move |duration| ScriptStep::ClockBack(a(), duration)),
        proptest::option::of(1_u64..).prop_map(move |bytes| ScriptStep::Slow(b(), bytes)),
        send.prop_map(move |(text, times, every)| {
            let destination = Destination::topic("t.x").unwrap();
            ScriptStep::Send(ScriptSend { host: a(), destination, text, times, every })
        }),
        "[a-z]{1,5}(\\.[a-z]{1,5}){0,3}(\\.>)?"
            .prop_map(move |name| { ScriptStep::Subscribe(b(), Destination::queue(&name).unwrap()) }),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(steps in proptest::collection::vec(step(), 0..10)) {
        let mut script: Script = "host a peer://g/a?queuePrefetch=7\nbroker b.c-d g".parse().unwrap();
        script.steps.extend(steps);
        prop_assert_eq!(script.to_string().parse(), Ok(script));
    }

    #[test]
    fn any_text_is_a_script_or_has_a_fault_in_it(text in "\\PC*", line in "(host|send|cut|faults|run|broker)? ?[ a-z0-9:/.\"\\\\%=>#-]{0,30}") {
        for text in [text, alloc::format!("host a peer://g\n{line}")] {
            if let Err(error) = text.parse::<Script>() {
                let found = text.lines().nth(error.line - 1).unwrap();
                prop_assert!(found.get(error.at.clone()).is_some(), "{:?} of {}", error.at, found);
                prop_assert!(error.column <= found.chars().count() + 1);
            }
        }
    }
}
