//! The documents say what the code says.

use flockmq_core::uri::{Fanout, Multicast, OptionSpec, Peer, Static, Tcp, Vm};

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
