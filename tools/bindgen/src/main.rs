//! `netra-bindgen <module.wasm> <name> <folder>`: cuts the module into its parts, then writes `<name>.js` and `<name>_bg.wasm`, as
//! `wasm-bindgen --target web` does, with `<name>.parts.js`, which loads the others, and their files beside it.

use std::{env, error::Error, fs, path::Path, process::ExitCode};

use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support::{Options, transform};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [module, name, folder] = &args[..] else {
        eprintln!("netra-bindgen <module.wasm> <name> <folder>");
        return ExitCode::from(2);
    };
    match write(Path::new(module), name, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netra-bindgen: {module}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn stem(part: &Path) -> &str {
    part.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn write(module: &Path, name: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let whole = fs::read(module)?;
    let main = module.with_extension("main.wasm");
    let (script, loader) = (format!("./{name}.js"), format!("./{name}.parts.js"));
    let mut options = Options::new(&whole);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.main_module = &script;
    options.link_name = &loader;
    let parts = transform(options).map_err(|error| format!("{error:#}"))?;
    // What two parts share is called by a number, which may change; the page asks for it by name.
    let shared: Vec<_> = parts.split_modules.iter().filter(|part| stem(part).starts_with("chunk_")).collect();
    if let [shared] = shared[..] {
        let loader = folder.join(&loader);
        fs::write(&loader, fs::read_to_string(&loader)?.replace(&format!("{}.wasm", stem(shared)), "split_both.wasm"))?;
        fs::rename(shared, folder.join("split_both.wasm"))?;
    } else if !shared.is_empty() {
        return Err("more than two parts share code: say here what their files are called".into());
    }
    let mut bindgen = Bindgen::new();
    // The parts refer to the memory, the stack and the table.
    bindgen.input_path(&main).out_name(name).typescript(false).keep_lld_exports(true);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(folder)).map_err(|error| format!("{error:#}"))?;
    Ok(())
}
