//! Between Rust and the contract. Everything `unsafe` is in this file, and rests on the header: what the host gives is
//! borrowed for the call, and an instance lives from `create` to `destroy`.
//!
//! No panic leaves this file: it would end the gateway, with every other plugin in it. Nor does anything here keep the
//! library in use after `destroy`: no threads, no `thread::current()`, no thread-local value that has a destructor.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::{null, null_mut};

use crate::abi::*;
use crate::gateway::{Answer, Failure, NotRestored, Route, Service};
use crate::json;

/// One request, for as long as its handler runs.
pub struct Request<'a>(&'a gw_request_v1);

impl Request<'_> {
    /// The value of `{name}` in the pattern, decoded; empty when the pattern has no such part.
    pub fn parameter(&self, name: &str) -> &str {
        // SAFETY: the host's array lives as long as the request, and so do the bytes of its fields.
        let fields = unsafe { slice(self.0.parameters, self.0.parameter_count) };
        let found = fields.iter().find(|field| unsafe { text(&field.name) } == name);
        found.map_or("", |field| unsafe { text(&field.value) })
    }
}

/// The host, as one instance sees it. It cannot be kept beyond a call, and so not beyond `destroy`.
pub struct Host {
    context: gw_context,
    core: *const gw_core_v1,
    http: *const gw_http_v1,
    health: *const gw_health_v1, // null when this host has none, as the next
    log: *const gw_log_v1,
}

impl Host {
    /// [any] One line of the log, with the plugin's name; `level` is GW_LOG_INFO or another.
    pub fn log(&self, level: i32, message: &str) {
        // SAFETY: the host's tables are valid until destroy, and its functions may be called from any thread.
        if let Some(log) = unsafe { self.log.as_ref() } {
            unsafe { (log.write)(self.context, level, gw_request { v: 0 }, bytes(message), null(), 0) }
        }
    }

    /// The sentence for the failure that this thread is about to return.
    fn set_error(&self, message: &str) {
        // SAFETY: `core` was not null at create, and the message is copied before the call returns.
        unsafe { ((*self.core).set_error)(self.context, bytes(message)) }
    }

    fn answer(&self, request: gw_request, result: Result<Answer, Failure>) -> gw_status {
        // SAFETY: `http` was not null at create; all bytes are copied before the call returns.
        let status = unsafe {
            let http = &*self.http;
            match &result {
                Ok(answer) => {
                    let data = bytes(&answer.data);
                    (http.reply)(self.context, request, answer.status, bytes(""), data, null(), 0)
                }
                Err(failure) => {
                    let (message, details) = (bytes(&failure.message), bytes(&failure.details));
                    (http.fail)(
                        self.context,
                        request,
                        failure.status,
                        bytes(""),
                        message,
                        details,
                        null(),
                        0,
                    )
                }
            }
        };
        // The client left, or the deadline passed: nothing is owed any more.
        if status == GW_E_GONE { GW_OK } else { status }
    }
}

/// What the host calls `self`. It never moves: the host keeps pointers to it and to its bindings.
struct Instance<S: 'static> {
    service: S,
    host: Host,
    bindings: Vec<Binding<S>>,
}

/// What the host calls a route's `user`.
struct Binding<S: 'static> {
    instance: *const Instance<S>,
    route: &'static Route<S>,
}

// ---- values ----

const fn bytes(text: &str) -> gw_bytes {
    gw_bytes {
        start: text.as_ptr(),
        count: text.len(),
    }
}

/// The host's array; empty when its start is null.
///
/// # Safety
/// `start` holds `count` elements for as long as the result is used.
unsafe fn slice<'a, T>(start: *const T, count: usize) -> &'a [T] {
    if start.is_null() {
        &[]
    } else {
        unsafe { std::slice::from_raw_parts(start, count) }
    }
}

/// # Safety
/// The bytes live as long as what they are borrowed from. The contract promises UTF-8 (R5), which is checked all the
/// same: what is none reads as empty.
unsafe fn text(bytes: &gw_bytes) -> &str {
    std::str::from_utf8(unsafe { slice(bytes.start, bytes.count) }).unwrap_or_default()
}

// ---- panics ----

thread_local! {
    /// Where this thread's panic was, until `guard` fetches it. `ManuallyDrop` because a thread-local value with a
    /// destructor ties the library to the thread: it could not be unmapped before the thread ends.
    static PANIC: Cell<ManuallyDrop<String>> = const { Cell::new(ManuallyDrop::new(String::new())) };
}

/// The standard hook asks for the thread's name, and that leaves a destructor behind, to be run when the thread ends.
fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.to_string().replace('\n', " ");
        if cfg!(test) {
            eprintln!("{place}"); // where a test has failed
        }
        ManuallyDrop::into_inner(PANIC.replace(ManuallyDrop::new(place)));
    }));
}

/// Runs `work`; a panic in it ends here, as `otherwise` and a line of the log.
///
/// Unwind-safe: what handlers change is atomic or behind a lock, which a panic leaves poisoned.
fn guard<T>(host: &Host, otherwise: T, work: impl FnOnce() -> T) -> T {
    let payload = match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => return value,
        Err(payload) => payload,
    };
    // A payload that is no text may panic once more when it is dropped.
    if !payload.is::<String>() && !payload.is::<&str>() {
        std::mem::forget(payload);
    }
    let place = ManuallyDrop::into_inner(PANIC.take());
    host.log(GW_LOG_ERROR, &place);
    host.set_error(&place);
    otherwise
}

// ---- what the host calls ----

/// What this library is, for hosts of the contract that it was written for.
pub fn descriptor<S: Service>(host_major: u32) -> *const gw_plugin_v1 {
    if host_major == GW_ABI_MAJOR {
        Exported::<S>::PLUGIN
    } else {
        null()
    }
}

struct Exported<S>(S);

impl<S: Service> Exported<S> {
    const PLUGIN: &gw_plugin_v1 = &gw_plugin_v1 {
        struct_size: size_of::<gw_plugin_v1>() as u32,
        abi_major: GW_ABI_MAJOR,
        abi_minor: GW_ABI_MINOR,
        flags: 0,
        id: bytes(S::ID),
        version: bytes(S::VERSION),
        description: bytes(S::DESCRIPTION),
        create: create::<S>,
        interface: interface::<S>,
        activate,
        quiesce: quiesce::<S>,
        destroy: destroy::<S>,
    };
    const HANDLER: &gw_http_handler_v1 = &gw_http_handler_v1 {
        request: request::<S>,
        body: None,
        writable: None,
        cancel: None,
        end: None,
    };
    const STATE: Option<&gw_plugin_state_v1> = match S::STATE {
        None => None,
        Some(_) => Some(Self::TABLE),
    };
    const TABLE: &gw_plugin_state_v1 = {
        let (schema, writes, reads_from, reads_to) = match S::STATE {
            Some(state) => (state.schema, state.writes, state.reads_from, state.reads_to),
            None => ("", 0, 0, 0),
        };
        let schema = bytes(schema);
        &gw_plugin_state_v1 {
            schema,
            writes,
            reads_from,
            reads_to,
            snapshot: snapshot::<S>,
            restore: restore::<S>,
        }
    };
}

/// SAFETY, for all below: the host passes what `create` gave it, between create and destroy, and its own pointers are
/// valid for the call. Instances are shared by threads, which `Service: Send + Sync` allows.
unsafe fn instance<'a, S>(this: *mut c_void) -> &'a Instance<S> {
    unsafe { &*this.cast::<Instance<S>>() }
}

/// [setup]
unsafe extern "C" fn create<S: Service>(
    host: *const gw_host_v1,
    settings: gw_bytes,
    this: *mut *mut c_void,
) -> gw_status {
    keep_panics();
    // SAFETY: each id has a table of its own type behind it, or null.
    let host = unsafe {
        let find = |id: &CStr| ((*host).interface)((*host).context, id.as_ptr());
        Host {
            context: (*host).context,
            core: find(GW_CORE_1).cast(),
            http: find(GW_HTTP_1).cast(),
            health: find(GW_HEALTH_1).cast(),
            log: find(GW_LOG_1).cast(),
        }
    };
    if host.core.is_null() {
        return GW_E_UNSUPPORTED;
    }
    if host.http.is_null() {
        host.set_error("This gateway does not offer gw.http/1.");
        return GW_E_UNSUPPORTED;
    }
    let settings = unsafe { text(&settings) };
    let made = guard(&host, Err(None), || S::create(&host, settings).map_err(Some));
    let service = match made {
        Ok(service) => service,
        Err(reason) => {
            reason.inspect(|reason| host.set_error(reason));
            return GW_E_ARGUMENT;
        }
    };
    let instance = Box::into_raw(Box::new(Instance {
        service,
        host,
        bindings: Vec::new(),
    }));
    // SAFETY: nobody else has it yet. From the second line on destroy frees it, also after a failure.
    unsafe {
        (*instance).bindings = S::ROUTES.iter().map(|route| Binding { instance, route }).collect();
        *this = instance.cast();
        declare(&*instance)
    }
}

fn declare<S: Service>(instance: &Instance<S>) -> gw_status {
    let Host {
        context, http, health, ..
    } = instance.host;
    for binding in &instance.bindings {
        let route = gw_route_v1 {
            method: bytes(binding.route.method),
            pattern: bytes(binding.route.pattern),
            scope: bytes(binding.route.scope),
            flags: if binding.route.inline { GW_ROUTE_INLINE } else { 0 },
            max_in_flight: 0,
            max_body: 0,
            timeout_ms: 0,
            operation: bytes(binding.route.operation),
            user: std::ptr::from_ref(binding).cast_mut().cast(),
        };
        // SAFETY: the host copies the route and the handler; the binding lives as long as the instance.
        let status = unsafe { ((*http).add_route)(context, &route, Exported::<S>::HANDLER) };
        if status < 0 {
            return status;
        }
    }
    let this = std::ptr::from_ref(instance).cast_mut().cast();
    // SAFETY: as above.
    match unsafe { health.as_ref() } {
        Some(health) => unsafe { (health.add_check)(context, bytes("service"), 10_000, 1_000, check::<S>, this) },
        None => GW_OK,
    }
}

/// [any]
unsafe extern "C" fn interface<S: Service>(_this: *mut c_void, id: *const c_char) -> *const c_void {
    let id = unsafe { CStr::from_ptr(id) };
    let state = if id == GW_PLUGIN_STATE_1 {
        Exported::<S>::STATE
    } else {
        None
    };
    state.map_or(null(), |table| std::ptr::from_ref(table).cast())
}

/// [setup]
unsafe extern "C" fn activate(_this: *mut c_void) -> gw_status {
    GW_OK
}

/// [worker] or [loop]
unsafe extern "C" fn request<S: Service>(
    user: *mut c_void,
    request: *const gw_request_v1,
    state: *mut *mut c_void,
) -> gw_status {
    let (instance, route, request) = unsafe {
        *state = null_mut();
        let binding = &*user.cast::<Binding<S>>();
        (&*binding.instance, binding.route, &*request)
    };
    guard(&instance.host, GW_E_INTERNAL, || {
        let result = (route.handler)(&instance.service, &instance.host, &Request(request));
        instance.host.answer(request.handle, result)
    })
}

/// [worker]
unsafe extern "C" fn check<S: Service>(user: *mut c_void, answer: gw_operation) {
    let instance = unsafe { instance::<S>(user) };
    let result = guard(&instance.host, Err("it panicked; see the log".into()), || {
        instance.service.check()
    });
    let (state, detail) = match result {
        Ok(()) => (GW_HEALTHY, "{}".into()),
        Err(reason) => (GW_UNHEALTHY, format!(r#"{{"reason":{}}}"#, json::quoted(&reason))),
    };
    unsafe { ((*instance.host.health).report)(instance.host.context, answer, state, bytes(&detail)) };
}

/// [setup] The old generation; requests that take longer than the hold still run.
unsafe extern "C" fn snapshot<S: Service>(this: *mut c_void, sink: *mut c_void, write: gw_write_fn) -> gw_status {
    let instance = unsafe { instance::<S>(this) };
    guard(&instance.host, GW_E_INTERNAL, || {
        let state = instance.service.snapshot();
        unsafe {
            write(
                sink,
                gw_bytes {
                    start: state.as_ptr(),
                    count: state.len(),
                },
            )
        }
    })
}

/// [setup] The new generation, before activate.
unsafe extern "C" fn restore<S: Service>(this: *mut c_void, schema_number: u32, state: gw_bytes) -> gw_status {
    let instance = unsafe { instance::<S>(this) };
    let known = S::STATE.is_some_and(|state| (state.reads_from..=state.reads_to).contains(&schema_number));
    if !known {
        return GW_E_SCHEMA;
    }
    guard(&instance.host, GW_E_INTERNAL, || {
        match instance
            .service
            .restore(schema_number, unsafe { slice(state.start, state.count) })
        {
            Ok(()) => GW_OK,
            Err(NotRestored::UnknownSchema) => GW_E_SCHEMA,
            Err(NotRestored::Malformed(reason)) => {
                instance.host.set_error(&reason);
                GW_E_ARGUMENT
            }
        }
    })
}

/// [setup] Nothing runs of its own, so it is done at once.
unsafe extern "C" fn quiesce<S: Service>(this: *mut c_void, done: gw_operation) {
    let host = unsafe { &instance::<S>(this).host };
    unsafe { ((*host.core).complete)(host.context, done, GW_OK, bytes("")) };
}

/// [setup] The last call: nothing of the instance is in use any more.
unsafe extern "C" fn destroy<S: Service>(this: *mut c_void) {
    let Instance { service, host, .. } = *unsafe { Box::from_raw(this.cast::<Instance<S>>()) };
    guard(&host, (), || drop(service));
}
