//! The house rules that no compiler checks: imports point down the ranks, `core` has no clock, entropy or hash map,
//! and no file lies about that nothing refers to.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `core` by rank. Rooms of one rank do not import one another, but for those named with their reason.
const RANKS: [(&str, u8); 14] = [
    ("base", 0),
    ("model", 1),
    ("uri", 2),
    ("wire", 2),
    ("bridge", 3),
    ("broker", 3),
    ("client", 3),
    ("dial", 3),
    ("discovery", 3),
    ("fanout", 3),
    ("link", 3),
    ("remote", 3),
    ("node", 4),
    ("sim", 5),
];

/// What is absent from `core`, tests and benches apart.
const ABSENT: [&str; 6] = ["std::", "HashMap", "HashSet", "unsafe ", "SystemTime", "thread_rng"];

#[test]
fn imports_point_down_the_ranks() {
    let mut faults = Vec::new();
    for (room, path, text) in core_sources() {
        let Some(rank) = rank(&room) else {
            assert_eq!(room, "lib.rs", "{} is in a room without a rank", path.display());
            continue;
        };
        for (number, line) in code(&text).enumerate() {
            for imported in line.split("crate::").skip(1) {
                let name: String =
                    imported.chars().take_while(|found| found.is_alphanumeric() || *found == '_').collect();
                let is_down = match self::rank(&name) {
                    Some(found) => found < rank || name == room,
                    None => room == "sim", // The simulator uses what anybody may: the names that `lib.rs` exports.
                };
                if !is_down {
                    faults.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "imports that point up or sideways:\n{}", faults.join("\n"));
}

#[test]
fn the_core_is_without_clock_entropy_and_hash_maps() {
    let mut faults = Vec::new();
    for (_, path, text) in core_sources() {
        for (number, line) in code(&text).enumerate() {
            if let Some(found) = ABSENT.iter().find(|absent| line.contains(**absent)) {
                faults.push(format!("{}:{}: {found}", path.display(), number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "what the core does without:\n{}", faults.join("\n"));
}

#[test]
fn every_file_is_referred_to() {
    let root = root();
    let mut faults = Vec::new();
    for package in ["core", "driver-tokio", "driver-wasm", "cli", "tests"] {
        for path in sources(&root.join(package).join("src")) {
            let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
            let folder = path.parent().expect("a folder");
            if ["lib", "main"].contains(&stem.as_str()) || folder.ends_with("src/bin") {
                continue; // Cargo finds these by itself.
            }
            let (name, parent) = if stem == "mod" {
                (folder.file_name().expect("a folder").to_string_lossy().into_owned(), folder.parent().expect("src"))
            } else {
                (stem, folder)
            };
            let parents = ["mod.rs", "lib.rs", "main.rs", "tests.rs"].map(|file| parent.join(file));
            let beside = parent.with_extension("rs");
            let is_named = parents.iter().chain([&beside]).any(|parent| {
                let text = fs::read_to_string(parent).unwrap_or_default();
                text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};")))
            });
            if !is_named {
                faults.push(path.display().to_string());
            }
        }
    }
    assert!(faults.is_empty(), "files that no module names:\n{}", faults.join("\n"));
}

fn rank(room: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// Every source file of `core` with the room it is in.
fn core_sources() -> Vec<(String, PathBuf, String)> {
    let src = root().join("core/src");
    let files = sources(&src).into_iter().map(|path| {
        let inside = path.strip_prefix(&src).expect("below").to_path_buf();
        let room = inside.iter().next().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("readable");
        (room, inside, text)
    });
    files.filter(|(_, path, _)| !path.iter().any(|part| part == "tests" || part == "tests.rs")).collect()
}

/// The lines of a file that ship: no comments, and nothing from its tests on.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let shipped = text.lines().take_while(|line| *line != "mod tests {");
    shipped.map(|line| line.split("//").next().unwrap_or_default())
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}
