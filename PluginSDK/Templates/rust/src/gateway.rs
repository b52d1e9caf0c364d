//! What a service is made of, without pointers.
#![forbid(unsafe_code)]

pub use crate::boundary::{Host, Request};
use crate::json;

/// What an author writes. Handlers of one instance run side by side, on the host's threads.
pub trait Service: Sized + Send + Sync + 'static {
    const ID: &str;
    const VERSION: &str;
    const DESCRIPTION: &str;
    const ROUTES: &[Route<Self>];
    /// What is handed over when the plugin is replaced; `None` when all of it is in files.
    const STATE: Option<State> = None;

    /// [setup] Makes an instance of `settings`, a JSON object. The error is for the operator.
    fn create(host: &Host, settings: &str) -> Result<Self, String>;
    /// [worker] What `/health` shows: an error makes the plugin unhealthy, and says why.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
    /// [worker] The state, while this instance still serves.
    fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }
    /// [setup] Takes the state of the generation before, once, before the first request.
    fn restore(&self, _schema: u32, _state: &[u8]) -> Result<(), NotRestored> {
        Err(NotRestored::UnknownSchema)
    }
}

/// A method and a pattern, and who answers.
pub struct Route<S> {
    pub method: &'static str,
    pub pattern: &'static str,
    /// What a caller needs: "read", "write" or "admin".
    pub scope: &'static str,
    /// On the event loop instead of a worker: it must return at once.
    pub inline: bool,
    /// An OpenAPI Operation Object, or empty.
    pub operation: &'static str,
    pub handler: fn(&S, &Host, &Request) -> Result<Answer, Failure>,
}

impl<S> Route<S> {
    /// A GET route without pattern and handler, to be completed.
    pub const fn get(scope: &'static str) -> Self {
        let handler = |_: &S, _: &Host, _: &Request| Err(Failure::new(404, "There is nothing here."));
        Self {
            method: "GET",
            pattern: "",
            scope,
            inline: false,
            operation: "",
            handler,
        }
    }
}

/// The state's name, the number written, and the numbers read.
#[derive(Clone, Copy)]
pub struct State {
    pub schema: &'static str,
    pub writes: u32,
    pub reads_from: u32,
    pub reads_to: u32,
}

/// Why a state was not taken.
pub enum NotRestored {
    UnknownSchema,
    Malformed(String),
}

/// Success, in the gateway's envelope. `data` is JSON.
pub struct Answer {
    pub status: u16,
    pub data: String,
}

impl Answer {
    pub fn data(data: String) -> Self {
        Self { status: 200, data }
    }
}

/// An error, in the gateway's envelope. `details` is JSON, or empty.
pub struct Failure {
    pub status: u16,
    pub message: String,
    pub details: String,
}

impl Failure {
    pub fn new(status: u16, message: &str) -> Self {
        Self {
            status,
            message: message.into(),
            details: String::new(),
        }
    }

    /// 422, because of one field.
    pub fn invalid(message: &str, field: &str, reason: &str) -> Self {
        let details = format!(
            r#"[{{"field":{},"reason":{}}}]"#,
            json::quoted(field),
            json::quoted(reason)
        );
        Self {
            status: 422,
            message: message.into(),
            details,
        }
    }
}
