//! `netra-bindgen <module.wasm> <name> <folder>`: writes `<name>.js` and `<name>_bg.wasm`, as `wasm-bindgen --target web` does.

use std::{env, process::ExitCode};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [module, name, folder] = &args[..] else {
        eprintln!("netra-bindgen <module.wasm> <name> <folder>");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name(name).typescript(false);
    match bindgen.web(true).and_then(|bindgen| bindgen.generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netra-bindgen: {module}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
