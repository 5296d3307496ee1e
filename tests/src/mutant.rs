//! Faults to plant in the core, to see whether the swarm notices, or the broker's model: lists in `tests/mutants`, each
//! fitting the sources at exactly one place.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Who is to notice a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finder {
    /// Workloads of one broker, which is compared with its model.
    Model,
    /// Scenarios of whole worlds.
    Swarm,
}

/// One planted fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// What it does, after the room it is in.
    pub name: String,
    /// The file, from the project's root.
    pub file: PathBuf,
    old: String,
    new: String,
}

impl Mutant {
    /// All that somebody is to notice, as the list has them.
    ///
    /// # Panics
    ///
    /// If the list is malformed.
    pub fn all(finder: Finder) -> Vec<Self> {
        let list = match finder {
            Finder::Model => include_str!("../mutants/model.txt"),
            Finder::Swarm => include_str!("../mutants/list.txt"),
        };
        list.split("\n= ").skip(1).map(Self::parse).collect()
    }

    /// The file's text with the fault planted.
    pub fn plant(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.old).count() {
            1 => Ok(text.replacen(&self.old, &self.new, 1)),
            count => Err(format!("'{}' fits {} at {count} places, not one", self.name, self.file.display())),
        }
    }

    /// Plants the fault in the sources under `root`; gives the text that was there.
    pub fn plant_under(&self, root: &Path) -> io::Result<String> {
        let path = root.join(&self.file);
        let text = fs::read_to_string(&path)?;
        let planted = self.plant(&text).map_err(io::Error::other)?;
        fs::write(path, planted)?;
        Ok(text)
    }

    fn parse(block: &str) -> Self {
        let mut lines = block.lines();
        let name = lines.next().expect("a name follows the sign").to_owned();
        let file = lines.next().expect("a file follows the name").into();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for line in lines.filter(|line| !line.is_empty()) {
            let text = line.get(2..).unwrap_or_default();
            match line.as_bytes()[0] {
                b'-' => old.push(text),
                b'+' => new.push(text),
                _ => panic!("'{line}' in '{name}' begins with neither - nor +"),
            }
        }
        Self { name, file, old: old.join("\n"), new: new.join("\n") }
    }
}
