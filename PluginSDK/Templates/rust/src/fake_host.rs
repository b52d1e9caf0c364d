//! A host made of tables that write down what they are told, for the tests. Each test has one of its own, as each runs
//! on a thread of its own.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{from_ref, null, null_mut};

use crate::abi::*;
use crate::boundary::descriptor;
use crate::gateway::Service;

type RequestFunction = unsafe extern "C" fn(*mut c_void, *const gw_request_v1, *mut *mut c_void) -> gw_status;

thread_local! {
    /// What the host was told, on this thread.
    static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// The routes it was given: pattern, user, handler.
    static ROUTES: RefCell<Vec<(String, usize, RequestFunction)>> =
        const { RefCell::new(Vec::new()) };
}

fn words(bytes: gw_bytes) -> String {
    if bytes.count == 0 {
        return String::new();
    }
    String::from_utf8(unsafe { std::slice::from_raw_parts(bytes.start, bytes.count) }.to_vec()).unwrap()
}

pub fn span(text: &str) -> gw_bytes {
    gw_bytes {
        start: text.as_ptr(),
        count: text.len(),
    }
}

fn tell(what: String) {
    TOLD.with_borrow_mut(|told| told.push(what));
}

pub fn told() -> Vec<String> {
    TOLD.take()
}

unsafe extern "C" fn now(_: gw_context) -> u64 {
    0
}
unsafe extern "C" fn data_directory(_: gw_context) -> gw_bytes {
    span("/")
}
unsafe extern "C" fn set_error(_: gw_context, message: gw_bytes) {
    tell(format!("error {}", words(message)));
}
unsafe extern "C" fn complete(_: gw_context, _: gw_operation, status: gw_status, _: gw_bytes) -> gw_status {
    tell(format!("complete {status}"));
    GW_OK
}
unsafe extern "C" fn add_route(
    _: gw_context,
    route: *const gw_route_v1,
    handler: *const gw_http_handler_v1,
) -> gw_status {
    let (route, handler) = unsafe { (&*route, &*handler) };
    ROUTES.with_borrow_mut(|routes| routes.push((words(route.pattern), route.user as usize, handler.request)));
    GW_OK
}
unsafe extern "C" fn reply(
    _: gw_context,
    _: gw_request,
    status: u16,
    _: gw_bytes,
    data: gw_bytes,
    _: *const gw_field,
    _: usize,
) -> gw_status {
    tell(format!("reply {status} {}", words(data)));
    GW_OK
}
unsafe extern "C" fn fail(
    _: gw_context,
    _: gw_request,
    status: u16,
    _: gw_bytes,
    _: gw_bytes,
    details: gw_bytes,
    _: *const gw_field,
    _: usize,
) -> gw_status {
    tell(format!("fail {status} {}", words(details)));
    GW_E_GONE // as if the client had left: the plugin must take that as done
}
unsafe extern "C" fn respond(
    _: gw_context,
    _: gw_request,
    _: u16,
    _: *const gw_field,
    _: usize,
    _: gw_buffer,
) -> gw_status {
    GW_E_UNSUPPORTED
}
unsafe extern "C" fn start(_: gw_context, _: gw_request, _: u16, _: *const gw_field, _: usize, _: u64) -> gw_status {
    GW_E_UNSUPPORTED
}
unsafe extern "C" fn write(_: gw_context, _: gw_request, _: gw_buffer) -> gw_status {
    GW_E_UNSUPPORTED
}
unsafe extern "C" fn finish(_: gw_context, _: gw_request) -> gw_status {
    GW_E_UNSUPPORTED
}
pub unsafe extern "C" fn sink(_: *mut c_void, bytes: gw_bytes) -> gw_status {
    tell(format!("state {}", words(bytes)));
    GW_OK
}

static CORE: gw_core_v1 = gw_core_v1 {
    now,
    data_directory,
    set_error,
    complete,
};
static HTTP: gw_http_v1 = gw_http_v1 {
    add_route,
    reply,
    fail,
    respond,
    start,
    write,
    finish,
    abort: finish,
};

/// A host of core and HTTP alone; everything else is absent, which is normal.
unsafe extern "C" fn interface(_: gw_context, id: *const c_char) -> *const c_void {
    match unsafe { CStr::from_ptr(id) }.to_bytes() {
        b"gw.core/1" => from_ref(&CORE).cast(),
        b"gw.http/1" => from_ref(&HTTP).cast(),
        _ => null(),
    }
}

pub unsafe extern "C" fn no_http(context: gw_context, id: *const c_char) -> *const c_void {
    if unsafe { CStr::from_ptr(id) } == GW_CORE_1 {
        unsafe { interface(context, id) }
    } else {
        null()
    }
}

pub fn host(interface: unsafe extern "C" fn(gw_context, *const c_char) -> *const c_void) -> gw_host_v1 {
    gw_host_v1 {
        struct_size: 32,
        abi_major: 1,
        abi_minor: 0,
        generation: 1,
        context: gw_context { v: 7 },
        interface,
    }
}

/// An instance at the host, destroyed at the end.
pub struct Life {
    plugin: &'static gw_plugin_v1,
    pub this: *mut c_void,
    _host: Box<gw_host_v1>,
}

impl Life {
    pub fn new<S: Service>(settings: &str) -> Result<Self, gw_status> {
        let (plugin, host, mut this) = (unsafe { &*descriptor::<S>(1) }, Box::new(host(interface)), null_mut());
        ROUTES.take();
        let status = unsafe { (plugin.create)(&*host, span(settings), &mut this) };
        if status < 0 {
            Err(status)
        } else {
            Ok(Self {
                plugin,
                this,
                _host: host,
            })
        }
    }

    pub fn get(&self, pattern: &str, parameter: (&str, &str)) -> gw_status {
        let field = gw_field {
            name: span(parameter.0),
            value: span(parameter.1),
        };
        let mut request: gw_request_v1 = unsafe { std::mem::zeroed() };
        (request.parameters, request.parameter_count) = (&field, 1);
        ROUTES.with_borrow(|routes| {
            let (_, user, handler) = routes.iter().find(|route| route.0 == pattern).unwrap();
            unsafe { handler(*user as *mut c_void, &request, &mut null_mut()) }
        })
    }

    pub fn state(&self) -> &gw_plugin_state_v1 {
        unsafe { &*(self.plugin.interface)(self.this, GW_PLUGIN_STATE_1.as_ptr()).cast() }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        unsafe { (self.plugin.destroy)(self.this) }
    }
}
