//! Writes the JavaScript and TypeScript that go with a WebAssembly module built from `flockmq-wasm`.
//!
//! ```text
//! flockmq-wasm-glue MODULE.wasm FOLDER
//! ```
//!
//! It is for pages (`--target web`); `driver-wasm/npm` has what lets Node load the same. It is what the command-line tool of wasm-bindgen does, as a program of this workspace
//! so that Cargo.lock keeps its version in step with the library's.

use std::env;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, folder] = arguments.as_slice() else {
        eprintln!("usage: flockmq-wasm-glue MODULE.wasm FOLDER");
        return ExitCode::from(2);
    };
    let mut glue = Bindgen::new();
    glue.typescript(true).remove_name_section(true).remove_producers_section(true);
    glue.omit_default_module_path(false);
    match glue.web(true).and_then(|glue| glue.input_path(module).generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no glue for '{module}': {error:#}");
            ExitCode::FAILURE
        }
    }
}
