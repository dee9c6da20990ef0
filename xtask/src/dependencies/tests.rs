use super::*;

const REGISTRY: &str = "https://registry.example/index";

fn rules(skip: &str) -> Rules {
    Rules::parse(&format!(
        r#"
        [licenses]
        allow = ["MIT", "Zlib"]
        [bans]
        multiple-versions = "deny"
        skip = [{skip}]
        deny = [{{ crate = "openssl", reason = "one TLS library" }}]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
        allow-registry = ["{REGISTRY}"]
        "#
    ))
    .unwrap()
}

fn package(name: &str, version: &str) -> Package {
    Package {
        id: format!("{name}@{version}"),
        name: name.to_owned(),
        version: version.to_owned(),
        license: Some("MIT".to_owned()),
        source: Some(format!("registry+{REGISTRY}")),
        manifest_path: "Cargo.toml".into(),
        dependencies: Vec::new(),
    }
}

fn licensed(license: Option<&str>) -> Package {
    Package { license: license.map(str::to_owned), ..package("crate", "1.0.0") }
}

#[test]
fn a_licence_expression_is_read_and_not_searched() {
    let allowed = ["MIT", "MIT OR GPL-3.0", "GPL-3.0 OR Zlib", "MIT/GPL-2.0", "(MIT OR GPL-3.0) AND Zlib"];
    let refused = [
        Some("GPL-3.0"),
        Some("MIT AND GPL-3.0"),
        Some("Zlib WITH LLVM-exception"),
        Some("MIT OR"),
        Some("no such licence"),
        None,
    ];
    let packages: Vec<Package> = allowed.iter().map(|license| licensed(Some(license))).collect();
    assert_eq!(licences(&rules(""), &packages), [""; 0]);
    for license in refused {
        // The first two packages use both allowed licences, so that only the third can be at fault.
        let packages = [licensed(Some("MIT")), licensed(Some("Zlib")), licensed(license)];
        assert_eq!(licences(&rules(""), &packages).len(), 1, "{license:?}");
    }
}

#[test]
fn an_allowed_licence_that_nothing_has_is_named() {
    let errors = licences(&rules(""), &[licensed(Some("MIT"))]);
    assert_eq!(errors, ["the licence Zlib is allowed, but nothing has it"]);
}

#[test]
fn two_versions_need_a_reason_and_a_stale_reason_must_go() {
    let two = [package("hash", "0.16.1"), package("hash", "0.17.0")];
    assert_eq!(bans(&rules(""), &two), ["hash is there in versions 0.16.1, 0.17.0"]);
    let skip = r#"{ crate = "hash@0.16", reason = "another crate is behind" }"#;
    assert_eq!(bans(&rules(skip), &two), [""; 0]);
    let stale = bans(&rules(skip), &two[1..]);
    assert_eq!(stale, ["the exception for hash@0.16 is not needed any more"]);
    let other = r#"{ crate = "hash@0.1", reason = "0.1 is not a beginning of 0.16" }"#;
    assert_eq!(bans(&rules(other), &two).len(), 2);
}

#[test]
fn a_banned_crate_is_an_error_with_its_reason() {
    let errors = bans(&rules(""), &[package("openssl", "0.10.1"), package("openssl-probe", "0.1.0")]);
    assert_eq!(errors, ["openssl 0.10.1 is banned: one TLS library"]);
}

#[test]
fn unknown_sources_are_errors() {
    let from = |source: Option<&str>| Package { source: source.map(str::to_owned), ..package("a", "1.0.0") };
    assert_eq!(sources(&rules(""), &[package("a", "1.0.0"), from(None)]), [""; 0]);
    for source in ["git+https://host.example/a", "registry+https://other.example/", "path+file:///a"] {
        assert_eq!(sources(&rules(""), &[from(Some(source))]), [format!("a 1.0.0 comes from {source}")]);
    }
}

#[test]
fn a_rule_that_is_not_held_here_is_an_error() {
    let text = "[licenses]\nallow = []\nconfidence-threshold = 0.9\n\
                [bans]\nmultiple-versions = \"deny\"\nskip = []\ndeny = []\n\
                [sources]\nunknown-registry = \"deny\"\nunknown-git = \"deny\"\nallow-registry = []\n";
    let error = Rules::parse(text).err().unwrap().to_string();
    assert!(error.contains("confidence-threshold"), "{error}");
}
