//! The planted faults keep fitting the sources; `./check mutants` says which of them are found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use flockmq_tests::{Finder, Mutant};

#[test]
fn every_mutant_fits_at_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's root");
    let [swarm, model] = [Finder::Swarm, Finder::Model].map(Mutant::all);
    assert!(swarm.len() >= 40 && model.len() >= 30, "only {} and {} mutants", swarm.len(), model.len());
    let mutants = [swarm, model].concat();
    let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    assert_eq!(names.len(), mutants.len(), "each has a name of its own");
    for mutant in &mutants {
        let text = fs::read_to_string(root.join(&mutant.file)).expect("a source file");
        let planted = mutant.plant(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_ne!(planted, text, "'{}' changes nothing", mutant.name);
    }
}
