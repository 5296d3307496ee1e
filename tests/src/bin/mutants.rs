//! Plants each fault of the lists in a copy of the sources and runs the swarm on it, or compares the broker with its
//! model: `./check mutants`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::{env, fs, io};

use flockmq_tests::{Finder, Mutant};

/// How a mutant was met.
enum Verdict {
    /// It found it at this seed.
    Found(u64),
    /// It was still running, or waiting, when the time was up.
    Hung,
    /// It saw nothing wrong.
    Survived,
    /// There was nothing to run.
    Unfit(String),
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's root").to_owned();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let seeds: Option<u64> = value("--seeds").map(|text| text.parse().expect("--seeds N"));
    let only = value("--only").unwrap_or_default();
    let finders = match value("--of").as_deref() {
        None => vec![Finder::Swarm, Finder::Model],
        Some("swarm") => vec![Finder::Swarm],
        Some("model") => vec![Finder::Model],
        Some(other) => panic!("--of swarm or --of model, not '{other}'"),
    };
    let page = root.join("docs/mutants.md");
    let text = fs::read_to_string(&page).expect("docs/mutants.md can be read");
    let mut sections = text
        .split_once(BETWEEN)
        .map_or([text.clone(), String::new()], |(swarm, model)| [swarm.to_owned(), model.to_owned()]);
    let mut are_enough = true;
    for finder in finders {
        let watch = Watch::of(finder);
        let (report, found) = match watch.run(&root, seeds.unwrap_or(watch.seeds), &only) {
            Ok(done) => done,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        };
        println!("{report}");
        sections[usize::from(finder == Finder::Model)] = report;
        are_enough &= !only.is_empty() || found >= watch.found_min;
    }
    if only.is_empty() && arguments.iter().any(|argument| argument == "--write") {
        fs::write(page, sections.join(BETWEEN)).expect("docs/mutants.md can be written");
    }
    if are_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How one finder is run, and reported.
struct Watch {
    finder: Finder,
    test: &'static str,
    filter: &'static str,
    head: &'static str,
    seeds: u64,
    /// Fewer found than this, and the run fails.
    found_min: usize,
}

impl Watch {
    fn of(finder: Finder) -> Self {
        match finder {
            Finder::Model => {
                Self { finder, test: "model", filter: "a_broker_does", head: MODEL_HEAD, seeds: 2_000, found_min: 40 }
            }
            Finder::Swarm => {
                Self { finder, test: "swarm", filter: "whatever_happens", head: HEAD, seeds: 2_000, found_min: 40 }
            }
        }
    }

    /// What there is to report, and how many were found.
    fn run(&self, root: &Path, seeds: u64, only: &str) -> io::Result<(String, usize)> {
        let work = root.join("target/mutants");
        let tree = work.join("tree");
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        fs::create_dir_all(&tree)?;
        for name in SOURCES {
            copy(&root.join(name), &tree.join(name))?;
        }
        if let Verdict::Found(seed) = self.look(&tree, &work, seeds)? {
            return Err(io::Error::other(format!("seed {seed} fails although nothing was planted")));
        }
        let mut rows = String::new();
        let (mut found, mut count) = (0, 0);
        for mutant in Mutant::all(self.finder).iter().filter(|mutant| mutant.name.contains(only)) {
            let text = mutant.plant_under(&tree)?;
            let verdict = self.look(&tree, &work, seeds)?;
            fs::write(tree.join(&mutant.file), text)?;
            let words = match verdict {
                Verdict::Found(seed) => format!("seed {seed}"),
                Verdict::Hung => "it came to no end".to_owned(),
                Verdict::Survived => "survived".to_owned(),
                Verdict::Unfit(why) => return Err(io::Error::other(format!("'{}': {why}", mutant.name))),
            };
            eprintln!("{}: {words}", mutant.name);
            count += 1;
            found += usize::from(words != "survived");
            writeln!(rows, "| {} | `{}` | {words} |", mutant.name, mutant.file.display()).expect("text");
        }
        let summary = format!("{found} of {count} found within {seeds} seeds.");
        let report = format!("{}\n{summary}\n\n| fault | file | found by |\n|---|---|---|\n{rows}", self.head);
        Ok((report, found))
    }

    /// Runs the test on the sources as they are.
    fn look(&self, tree: &Path, work: &Path, seeds: u64) -> io::Result<Verdict> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(tree).env("CARGO_TARGET_DIR", work.join("build")).args([
            "test",
            "--quiet",
            "--profile",
            "mutants",
            "-p",
            "flockmq-tests",
            "--test",
            self.test,
        ]);
        let built = cargo.arg("--no-run").output()?;
        if !built.status.success() {
            return Ok(Verdict::Unfit(text(&built)));
        }
        let mut timed = Command::new("timeout");
        let ran = timed
            .arg(TIMEOUT_SECONDS.to_string())
            .arg(cargo.get_program())
            .args(cargo.get_args().filter(|argument| *argument != "--no-run"))
            .args([self.filter, "--", "--nocapture"])
            .current_dir(tree)
            .env("CARGO_TARGET_DIR", work.join("build"))
            .env("FLOCKMQ_SEEDS", seeds.to_string())
            .stdin(Stdio::null())
            .output()?;
        if ran.status.success() {
            return Ok(Verdict::Survived);
        }
        if ran.status.code() == Some(124) {
            return Ok(Verdict::Hung);
        }
        let said = text(&ran);
        let seed = said.split("seed ").skip(1).find_map(|rest| rest.split(' ').next()?.parse().ok());
        Ok(seed.map_or_else(|| Verdict::Unfit(said), Verdict::Found))
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Copies sources, and nothing that was built.
fn copy(from: &Path, to: &PathBuf) -> io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if !["target", "pkg", "corpus", "node_modules"].iter().any(|built| name == *built) {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// What is copied.
const SOURCES: [&str; 10] =
    ["Cargo.toml", "Cargo.lock", "README.md", "core", "driver-tokio", "driver-wasm", "cli", "tests", "fuzz", "docs"];
/// How long a finder may take for one mutant: many times what it takes for none.
const TIMEOUT_SECONDS: u64 = 300;
const HEAD: &str = "# Mutants

Faults planted in the core, one at a time, and the seed at which the swarm noticed each. `./check mutants` plants them and
writes this page; the list is `tests/mutants/list.txt`, and `tests/tests/mutants.rs` keeps it fitting the sources. Those
that survive name what no check looks at yet. What the tests beside the code notice is told in
[mutation-score.md](mutation-score.md).
";
/// Where the second section begins.
const BETWEEN: &str = "\n## Faults of the broker, and its model\n\n";
const MODEL_HEAD: &str =
    "Faults planted in the broker, and the seed of the first workload in which it did otherwise than its
[model](simulation.md#the-model-of-the-broker). The list is `tests/mutants/model.txt`.
";
