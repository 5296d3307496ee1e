//! Writes the JavaScript and TypeScript that go with a WebAssembly module built from `flockmq-wasm`.
//!
//! ```text
//! flockmq-wasm-glue TARGET MODULE.wasm FOLDER
//! ```
//!
//! `TARGET` is `nodejs` or `web`. It is what the command-line tool of wasm-bindgen does, as a program of this workspace
//! so that Cargo.lock keeps its version in step with the library's.

use std::env;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [target, module, folder] = arguments.as_slice() else {
        eprintln!("usage: flockmq-wasm-glue nodejs|web MODULE.wasm FOLDER");
        return ExitCode::from(2);
    };
    let mut glue = Bindgen::new();
    glue.typescript(true);
    let prepared = match target.as_str() {
        "nodejs" => glue.nodejs(true),
        "web" => glue.web(true),
        _ => {
            eprintln!("there is no target '{target}'; expected nodejs or web");
            return ExitCode::from(2);
        }
    };
    match prepared.and_then(|glue| glue.input_path(module).generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no glue for '{module}': {error:#}");
            ExitCode::FAILURE
        }
    }
}
