//! What the plugin does: it greets, reads a setting, and hands its count over when it is replaced.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use crate::gateway::{Answer, Failure, Host, NotRestored, Request, Route, Service, State};
use crate::json;

const NAME_CHARACTERS: usize = 50;
const GREETING_BYTES: usize = 100;

/// One instance. Two live at once during a swap, so nothing of it is static; handlers run side by side, so what they
/// change is atomic or behind a `Mutex`.
pub struct HelloRust {
    greeting: String,
    greeted: AtomicU64,
}

impl Service for HelloRust {
    const ID: &str = "hello_rust";
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &str = "Greets in Rust.";
    const ROUTES: &[Route<Self>] = &[
        Route {
            pattern: "/v1/hello-rust",
            inline: true, // on the event loop: it never waits
            operation: r#"{"summary":"Greets","operationId":"hello_rust_get","tags":["hello_rust"]}"#,
            handler: Self::greet,
            ..Route::get("read")
        },
        Route {
            pattern: "/v1/hello-rust/{name}",
            operation: r#"{"summary":"Greets someone","operationId":"hello_rust_name_get","tags":["hello_rust"],
                "parameters":[{"name":"name","in":"path","required":true,"schema":{"type":"string","maxLength":50}}]}"#,
            handler: Self::greet_someone,
            ..Route::get("read")
        },
    ];
    const STATE: Option<State> = Some(State {
        schema: "hello_rust.greeted",
        writes: 1,
        reads_from: 1,
        reads_to: 1,
    });

    fn create(_host: &Host, settings: &str) -> Result<Self, String> {
        Ok(Self {
            greeting: read_settings(settings)?,
            greeted: AtomicU64::new(0),
        })
    }

    /// The count, in decimal.
    fn snapshot(&self) -> Vec<u8> {
        self.greeted.load(Ordering::Relaxed).to_string().into_bytes()
    }

    fn restore(&self, _schema: u32, state: &[u8]) -> Result<(), NotRestored> {
        let count = std::str::from_utf8(state).ok().and_then(|digits| digits.parse().ok());
        let count = count.ok_or_else(|| NotRestored::Malformed("The state is not a count of greetings.".into()))?;
        self.greeted.store(count, Ordering::Relaxed);
        Ok(())
    }
}

impl HelloRust {
    /// [loop] GET /v1/hello-rust
    fn greet(&self, _host: &Host, _request: &Request) -> Result<Answer, Failure> {
        Ok(Answer::data(format!(
            r#"{{"greeting":{}}}"#,
            json::quoted(&self.greeting)
        )))
    }

    /// [worker] GET /v1/hello-rust/{name}
    fn greet_someone(&self, _host: &Host, request: &Request) -> Result<Answer, Failure> {
        let name = request.parameter("name");
        if name.chars().count() > NAME_CHARACTERS {
            return Err(Failure::invalid(
                "The name is too long.",
                "name",
                "must be at most 50 characters",
            ));
        }
        let number = self.greeted.fetch_add(1, Ordering::Relaxed) + 1;
        let greeting = json::quoted(&format!("{}, {name}!", self.greeting));
        Ok(Answer::data(format!(r#"{{"greeting":{greeting},"number":{number}}}"#)))
    }
}

/// Reads `{"greeting": "..."}`; the error says what is wrong.
pub fn read_settings(settings: &str) -> Result<String, String> {
    const FORM: &str = r#"settings must be {"greeting": "text without backslashes"}, or empty"#;
    let members = if settings.is_empty() {
        Vec::new()
    } else {
        json::texts(settings).ok_or(FORM)?
    };
    match members[..] {
        [] => Ok("Hello".into()),
        [("greeting", words)] if (1..=GREETING_BYTES).contains(&words.len()) => Ok(words.into()),
        [("greeting", _)] => Err("settings.greeting must have 1 to 100 bytes".into()),
        _ => Err(FORM.into()),
    }
}
