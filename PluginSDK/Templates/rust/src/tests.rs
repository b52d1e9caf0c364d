//! The plugin without a gateway: its own logic, the layout against the C header, and its life at a fake host.

use std::io::Write;
use std::process::{Command, Stdio};
use std::ptr::null_mut;

use crate::abi::*;
use crate::boundary::descriptor;
use crate::fake_host::{Life, host, no_http, sink, span, told};
use crate::gateway::{Answer, Failure, Host, Request, Route, Service};
use crate::service::{HelloRust, read_settings};
use crate::{json, layout};

// ---- the service's own logic ----

#[test]
fn reads_its_settings() {
    assert_eq!(read_settings("").unwrap(), "Hello");
    assert_eq!(read_settings(" {\n } ").unwrap(), "Hello");
    assert_eq!(read_settings(r#"{ "greeting" : "Grüß dich" } "#).unwrap(), "Grüß dich");
    let whole = r#"{"greeting":"Moin"}"#;
    for end in 1..whole.len() {
        assert!(read_settings(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
    for wrong in [
        "[]",
        "{}x",
        r#"{"greetings":"a"}"#,
        r#"{"greeting":1}"#,
        r#"{"greeting":"a\nb"}"#,
    ] {
        assert!(read_settings(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn bounds_the_greeting() {
    let settings = |bytes| format!(r#"{{"greeting":"{}"}}"#, "x".repeat(bytes));
    assert!(read_settings(&settings(0)).is_err());
    assert!(read_settings(&settings(100)).is_ok());
    assert!(read_settings(&settings(101)).is_err());
}

#[test]
fn quotes_what_json_needs() {
    assert_eq!(json::quoted("a\"\\\n\u{1f}é"), r#""a\"\\\u000a\u001fé""#);
    assert_eq!(json::texts(r#"{"a":"1","b":"2"}"#), Some(vec![("a", "1"), ("b", "2")]));
}

// ---- the layout ----

/// Whether the C compiler agrees that the header has this layout.
fn c_agrees(layouts: &[layout::Layout]) -> bool {
    let mut source = String::from("#include \"gateway_plugin.h\"\n");
    let mut check = |claim: String| source += &format!("_Static_assert({claim}, \"\");\n");
    for (name, size, members) in layouts {
        check(format!("sizeof({name}) == {size}"));
        for (member, offset) in *members {
            check(format!("offsetof({name}, {member}) == {offset}"));
        }
    }
    for (name, number) in [("GW_ABI_MAJOR", GW_ABI_MAJOR as i64), ("GW_PENDING", GW_PENDING.into())] {
        check(format!("{name} == {number}"));
    }
    for (name, number) in [
        ("GW_E_GONE", GW_E_GONE),
        ("GW_E_SCHEMA", GW_E_SCHEMA),
        ("GW_E_INTERNAL", GW_E_INTERNAL),
    ] {
        check(format!("{name} == ({number})"));
    }
    let compiler = std::env::var("CC").unwrap_or("cc".into());
    let mut child = Command::new(compiler)
        .args([
            "-std=c11",
            "-fsyntax-only",
            "-I",
            env!("CARGO_MANIFEST_DIR"),
            "-x",
            "c",
            "-",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the C compiler, which cargo links with");
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[test]
fn the_layout_is_that_of_the_header() {
    assert!(c_agrees(layout::LAYOUTS));
    assert!(
        !c_agrees(&[("gw_bytes", 16, &[("start", 0), ("count", 4)])]),
        "the check must be able to fail"
    );
    assert!(!c_agrees(&[("gw_bytes", 24, &[])]), "the check must be able to fail");
}

// ---- its life at a host ----

#[test]
fn serves_only_hosts_of_its_contract() {
    assert!(!descriptor::<HelloRust>(1).is_null());
    assert_eq!(descriptor::<HelloRust>(1), descriptor::<HelloRust>(1));
    assert!(descriptor::<HelloRust>(2).is_null());
}

#[test]
fn greets_counts_and_hands_its_count_over() {
    let one = Life::new::<HelloRust>(r#"{"greeting":"Moin"}"#).unwrap();
    assert_eq!(one.get("/v1/hello-rust", ("", "")), GW_OK);
    assert_eq!(one.get("/v1/hello-rust/{name}", ("name", "Ada \"A\"")), GW_OK);
    assert_eq!(one.get("/v1/hello-rust/{name}", ("name", &"é".repeat(50))), GW_OK);
    assert_eq!(one.get("/v1/hello-rust/{name}", ("name", &"é".repeat(51))), GW_OK);
    unsafe { (one.state().snapshot)(one.this, null_mut(), sink) };
    let told = told();
    assert_eq!(told[0], r#"reply 200 {"greeting":"Moin"}"#);
    assert_eq!(told[1], r#"reply 200 {"greeting":"Moin, Ada \"A\"!","number":1}"#);
    assert!(told[2].ends_with(r#""number":2}"#));
    assert_eq!(
        told[3],
        r#"fail 422 [{"field":"name","reason":"must be at most 50 characters"}]"#
    );
    assert_eq!(told[4], "state 2");

    let two = Life::new::<HelloRust>("{}").unwrap();
    let restore = |schema, state| unsafe { (two.state().restore)(two.this, schema, span(state)) };
    assert_eq!(restore(2, "2"), GW_E_SCHEMA);
    for garbage in ["", "-1", "2 ", "two", "99999999999999999999"] {
        assert_eq!(restore(1, garbage), GW_E_ARGUMENT, "{garbage}");
    }
    assert_eq!(restore(1, "2"), GW_OK);
    two.get("/v1/hello-rust/{name}", ("name", "Eve"));
    assert_eq!(
        self::told().pop().unwrap(),
        r#"reply 200 {"greeting":"Hello, Eve!","number":3}"#
    );
}

#[test]
fn a_host_without_http_and_bad_settings_are_refused_with_a_sentence() {
    let (host, mut this) = (host(no_http), null_mut());
    let create = unsafe { &*descriptor::<HelloRust>(1) }.create;
    assert_eq!(unsafe { create(&host, span("{}"), &mut this) }, GW_E_UNSUPPORTED);
    assert!(this.is_null());
    assert_eq!(Life::new::<HelloRust>("[]").err(), Some(GW_E_ARGUMENT));
    let told = told();
    assert!(
        told[0].contains("gw.http/1") && told[1].contains("settings must be"),
        "{told:?}"
    );
}

/// Panics wherever it can.
struct Panics;

impl Service for Panics {
    const ID: &str = "panics";
    const VERSION: &str = "1.0.0";
    const DESCRIPTION: &str = "";
    const ROUTES: &[Route<Self>] = &[Route {
        pattern: "/v1/panics",
        handler: Self::panic,
        ..Route::get("read")
    }];

    fn create(_host: &Host, settings: &str) -> Result<Self, String> {
        if settings == "{}" {
            Ok(Self)
        } else {
            panic!("in create")
        }
    }
}

impl Panics {
    fn panic(&self, _host: &Host, _request: &Request) -> Result<Answer, Failure> {
        std::panic::panic_any(Panics) // a payload that panics once more
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("in drop")
    }
}

#[test]
fn no_panic_crosses_the_boundary() {
    let life = Life::new::<Panics>("{}").unwrap();
    assert_eq!(life.get("/v1/panics", ("", "")), GW_E_INTERNAL);
    drop(life);
    assert_eq!(Life::new::<Panics>("").err(), Some(GW_E_ARGUMENT));
    let told = told();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told.iter()
            .all(|line| line.starts_with("error panicked at src/tests.rs:")),
        "{told:?}"
    );
    assert!(
        told[1].ends_with("in drop") && told[2].ends_with("in create"),
        "{told:?}"
    );
}
