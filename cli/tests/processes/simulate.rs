//! Simulated worlds: the same seed and scenario, the same run.

use std::fs;

use crate::folder::Folder;
use crate::running::{Ended, run};

fn simulate(arguments: &[&str]) -> Ended {
    let ended = run(&[&["simulate"], arguments].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    ended
}

#[test]
fn a_seed_gives_the_same_run_twice_and_so_does_its_scenario_from_a_file() {
    let (folder, first) = (Folder::new(), simulate(&["--seed", "5"]));
    let last = first.lines.last().expect("a summary");
    assert!(last.starts_with("seed 5, trace hash "), "{last}");
    assert_eq!(simulate(&["--seed", "5"]).lines, first.lines);
    let file = folder.file("drawn.txt");
    fs::write(&file, simulate(&["--seed", "5", "--print"]).lines.join("\n")).expect("written");
    assert_eq!(simulate(&["--seed", "5", "--scenario", &file]).lines, first.lines);
    let other = simulate(&["--seed", "6", "--scenario", &file, "--only", "events"]);
    assert!(other.lines.last().is_some_and(|line| line.starts_with("seed 6, ") && line[6..] != last[6..]));
}

#[test]
fn a_run_is_a_line_for_each_transition_and_step_and_a_summary() {
    let (folder, text) = (
        Folder::new(),
        "host a peer://g # One.\nhost b peer://g\nsubscribe b queue://q\nrun 3s\n\nsend a queue://q hello 10 times\nrun 1s\n",
    );
    let file = folder.file("scenario.txt");
    fs::write(&file, text).expect("written");
    let run = |arguments: &[&str]| simulate(&[&["--seed", "1", "--scenario", &file], arguments].concat()).lines;
    let all = run(&[]);
    assert_eq!(all[0], "0.000000000s # host a peer://g");
    assert!(all.contains(&"3.000000000s # send a queue://q hello 10 times".to_owned()));
    assert!(all.contains(&"3.000000000s a < Command Send producer 2, 1 messages".to_owned()));
    assert!(all.iter().any(|line| line.contains(" b > Event Delivered consumer 2")), "{all:#?}");
    let (lines, summary) = all.split_at(all.len() - 3);
    assert!(summary[0].starts_with("2 hosts until 4.000000000s: 10 messages sent, 10 delivered, 0 refused; "));
    assert_eq!(summary[1], "faults: none");
    let late: Vec<_> = lines.iter().filter(|line| *line >= &"3".to_owned() && line.contains(" > ")).collect();
    let shown = run(&["--from", "3s", "--only", "outputs"]);
    assert_eq!(shown[..shown.len() - 3].iter().collect::<Vec<_>>(), late);
    let shorter = run(&["--duration", "1s", "--grep", "nothing of this"]);
    assert!(shorter[0].starts_with("2 hosts until 1.000000000s: 0 messages sent, "), "{shorter:?}");
}

#[test]
fn a_fault_in_a_scenario_is_quoted_with_its_line() {
    let folder = Folder::new();
    let file = folder.file("scenario.txt");
    fs::write(&file, "host a peer://g\nhost b peer://g\ncut a -> c\n").expect("written");
    let ended = run(&["simulate", "--scenario", &file]);
    assert_eq!((ended.code, ended.lines.len()), (Some(2), 0));
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let expected = "scenario.txt', line 3, column 10: there is no host 'c' yet; expected one of: a, b";
    assert!(lines[0].ends_with(expected), "{}", ended.stderr);
    assert_eq!(lines[1..], ["  cut a -> c", "           ^"]);
    let ended = run(&["simulate", "--scenario", &folder.file("absent")]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("absent' can't be read: "), "{}", ended.stderr);
}

#[test]
fn simulated_nodes_are_recorded_and_lived_again() {
    let folder = Folder::new();
    let (file, lives) = (folder.file("scenario.txt"), folder.file("lives"));
    fs::write(&file, "host a peer://g\nhost b peer://g\nrun 3s\ncrash a\nrun 1s\nrestart a\nrun 3s\n")
        .expect("written");
    simulate(&["--seed", "1", "--scenario", &file, "--record", &lives]);
    for life in ["a-1", "a-2", "b-1"] {
        let ended = run(&["replay", &format!("{lives}/{life}.flock"), "--only", "events"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.lines.iter().any(|line| line.contains("PeerReady")), "{:#?}", ended.lines);
    }
    let ended = run(&["simulate", "--seed", "1", "--scenario", &file, "--record", &lives]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("a-1.flock' can't be recorded into: "), "{}", ended.stderr);
}
