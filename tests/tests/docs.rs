//! The documents say what the code says.

use std::collections::BTreeMap;
use std::path::Path;

use flockmq_core::uri::{Broker, Fanout, Multicast, Network, OptionSpec, Peer, Static, Tcp, Vm};

/// The table of one scheme's options, as `docs/uri.md` shows it.
fn table(specs: &[OptionSpec]) -> String {
    let rows = specs.iter().map(|spec| {
        let default = spec.default.map_or("–".to_owned(), |default| format!("`{default}`"));
        format!("| `{}` | {} | {default} | {} |\n", spec.name, spec.kind, spec.help)
    });
    format!("| option | value | default | what it does |\n|---|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn every_option_is_documented_as_it_is() {
    let document = include_str!("../../docs/uri.md");
    let schemes = [
        ("peer", Peer::specs()),
        ("broker", Broker::specs()),
        ("network", Network::specs()),
        ("fanout", Fanout::specs()),
        ("vm", Vm::specs()),
        ("tcp", Tcp::specs()),
        ("multicast", Multicast::specs()),
        ("static", Static::specs()),
    ];
    for (scheme, specs) in schemes {
        let expected = table(specs);
        assert!(document.contains(&expected), "docs/uri.md lacks the options of {scheme}: as they are:\n\n{expected}");
    }
}

#[test]
fn every_known_problem_has_a_test_that_exists_or_says_why_not() {
    let document = include_str!("../../docs/known-problems.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    let (mut next, mut faults) = (1, Vec::new());
    for row in document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, problem, answer, tests] = cells[..] else { panic!("four cells: {row}") };
        assert_eq!(number.parse(), Ok(next), "the rows are numbered through: {row}");
        next += 1;
        assert!(!problem.is_empty() && !answer.is_empty(), "{row}");
        if answer.contains("*not solved*") || answer.contains("*Not solved*") {
            assert!(answer.contains("because"), "what is not solved says why: {row}");
        }
        assert!(!tests.is_empty(), "{row}");
        for test in tests.split(", ") {
            let named = test.trim_matches('`').split_once("::").expect("a file and a function");
            let text =
                files.entry(named.0).or_insert_with(|| std::fs::read_to_string(root.join(named.0)).unwrap_or_default());
            if !text.contains(&format!("fn {}(", named.1)) {
                faults.push(format!("{number}: {test}"));
            }
        }
    }
    assert_eq!(next, 48, "there are 47");
    assert!(faults.is_empty(), "tests that do not exist:\n{}", faults.join("\n"));
}
