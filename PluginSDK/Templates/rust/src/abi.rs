//! `gateway_plugin.h`, word for word in Rust. The header is the manual: threads, ownership and errors stand there.
//!
//! `layout.rs` has the compiler check every size and offset, and `cargo test` has the C compiler check the same table
//! against the header.
#![forbid(unsafe_code)]
#![allow(non_camel_case_types, dead_code)] // names as in C, and all of them: a plugin uses what it needs

use std::ffi::{CStr, c_char, c_void};

pub const GW_ABI_MAJOR: u32 = 1;
pub const GW_ABI_MINOR: u32 = 0;

// ---- status ----

pub type gw_status = i32;
pub const GW_OK: gw_status = 0;
pub const GW_PENDING: gw_status = 1;
pub const GW_AGAIN: gw_status = 2;
pub const GW_E_ARGUMENT: gw_status = -1;
pub const GW_E_STATE: gw_status = -2;
pub const GW_E_GONE: gw_status = -3;
pub const GW_E_DENIED: gw_status = -4;
pub const GW_E_UNSUPPORTED: gw_status = -5;
pub const GW_E_LIMIT: gw_status = -6;
pub const GW_E_TIMEOUT: gw_status = -7;
pub const GW_E_SCHEMA: gw_status = -8;
pub const GW_E_BUSY: gw_status = -9;
pub const GW_E_NOT_FOUND: gw_status = -10;
pub const GW_E_INTERNAL: gw_status = -11;

// ---- values ----

macro_rules! handles {
    ($($name:ident)*) => {$(
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name {
            pub v: u64,
        }
    )*};
}

handles! { gw_context gw_request gw_operation gw_job gw_metric }

#[repr(C)]
#[derive(Clone, Copy)]
pub struct gw_bytes {
    pub start: *const u8, // may be null when count is 0
    pub count: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct gw_field {
    pub name: gw_bytes,
    pub value: gw_bytes,
}

// ---- entry ----

#[repr(C)]
pub struct gw_host_v1 {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub generation: u32,
    pub context: gw_context,
    pub interface: unsafe extern "C" fn(context: gw_context, id: *const c_char) -> *const c_void,
}

#[repr(C)]
pub struct gw_plugin_v1 {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub flags: u32,
    pub id: gw_bytes,
    pub version: gw_bytes,
    pub description: gw_bytes,
    pub create: unsafe extern "C" fn(host: *const gw_host_v1, settings: gw_bytes, this: *mut *mut c_void) -> gw_status,
    pub interface: unsafe extern "C" fn(this: *mut c_void, id: *const c_char) -> *const c_void,
    pub activate: unsafe extern "C" fn(this: *mut c_void) -> gw_status,
    pub quiesce: unsafe extern "C" fn(this: *mut c_void, done: gw_operation),
    pub destroy: unsafe extern "C" fn(this: *mut c_void),
}

// ---- core ----

pub const GW_CORE_1: &CStr = c"gw.core/1";

#[repr(C)]
pub struct gw_core_v1 {
    pub now: unsafe extern "C" fn(gw_context) -> u64,
    pub data_directory: unsafe extern "C" fn(gw_context) -> gw_bytes,
    pub set_error: unsafe extern "C" fn(gw_context, message: gw_bytes),
    pub complete:
        unsafe extern "C" fn(gw_context, operation: gw_operation, status: gw_status, result: gw_bytes) -> gw_status,
}

// ---- log ----

pub const GW_LOG_1: &CStr = c"gw.log/1";
pub const GW_LOG_DEBUG: i32 = 0;
pub const GW_LOG_INFO: i32 = 1;
pub const GW_LOG_WARNING: i32 = 2;
pub const GW_LOG_ERROR: i32 = 3;

#[repr(C)]
pub struct gw_log_v1 {
    pub enabled: unsafe extern "C" fn(gw_context, level: i32) -> i32,
    pub write: unsafe extern "C" fn(
        gw_context,
        level: i32,
        about: gw_request,
        message: gw_bytes,
        fields: *const gw_field,
        field_count: usize,
    ),
}

// ---- HTTP ----

pub const GW_HTTP_1: &CStr = c"gw.http/1";
pub const GW_REQUEST_AUTHENTICATED: u32 = 1;
pub const GW_REQUEST_MFA: u32 = 2;
pub const GW_CANCEL_PEER_GONE: i32 = 1;
pub const GW_CANCEL_DEADLINE: i32 = 2;
pub const GW_CANCEL_DRAIN: i32 = 3;
pub const GW_CANCEL_BODY: i32 = 4;
pub const GW_ROUTE_INLINE: u32 = 1;
pub const GW_ROUTE_STREAM: u32 = 2;
pub const GW_ROUTE_PUBLIC: u32 = 4;

#[repr(C)]
pub struct gw_request_v1 {
    pub handle: gw_request,
    pub method: gw_bytes,
    pub target: gw_bytes,
    pub path: gw_bytes,
    pub query: gw_bytes,
    pub parameters: *const gw_field,
    pub parameter_count: usize,
    pub fields: *const gw_field,
    pub field_count: usize,
    pub body: gw_bytes,
    pub body_length: u64,
    pub subject: gw_bytes,
    pub scopes: gw_bytes,
    pub tier: gw_bytes,
    pub request_id: gw_bytes,
    pub trace_id: gw_bytes,
    pub peer: gw_bytes,
    pub deadline: u64,
    pub flags: u32,
}

#[repr(C)]
pub struct gw_http_handler_v1 {
    pub request:
        unsafe extern "C" fn(user: *mut c_void, request: *const gw_request_v1, state: *mut *mut c_void) -> gw_status,
    pub body: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            state: *mut c_void,
            gw_request,
            chunk: gw_bytes,
            last: i32,
        ) -> gw_status,
    >,
    pub writable: Option<unsafe extern "C" fn(user: *mut c_void, state: *mut c_void, gw_request)>,
    pub cancel: Option<unsafe extern "C" fn(user: *mut c_void, state: *mut c_void, gw_request, reason: i32)>,
    pub end: Option<unsafe extern "C" fn(user: *mut c_void, state: *mut c_void, gw_request)>,
}

#[repr(C)]
pub struct gw_route_v1 {
    pub method: gw_bytes,
    pub pattern: gw_bytes,
    pub scope: gw_bytes,
    pub flags: u32,
    pub max_in_flight: u32,
    pub max_body: u64,
    pub timeout_ms: u64,
    pub operation: gw_bytes,
    pub user: *mut c_void,
}

#[repr(C)]
pub struct gw_buffer {
    pub bytes: gw_bytes,
    pub release: Option<unsafe extern "C" fn(owner: *mut c_void, start: *const u8, count: usize)>,
    pub owner: *mut c_void,
}

#[repr(C)]
pub struct gw_http_v1 {
    pub add_route:
        unsafe extern "C" fn(gw_context, route: *const gw_route_v1, handler: *const gw_http_handler_v1) -> gw_status,
    pub reply: unsafe extern "C" fn(
        gw_context,
        gw_request,
        status: u16,
        message: gw_bytes,
        data: gw_bytes,
        fields: *const gw_field,
        field_count: usize,
    ) -> gw_status,
    pub fail: unsafe extern "C" fn(
        gw_context,
        gw_request,
        status: u16,
        code: gw_bytes,
        message: gw_bytes,
        details: gw_bytes,
        fields: *const gw_field,
        field_count: usize,
    ) -> gw_status,
    pub respond: unsafe extern "C" fn(
        gw_context,
        gw_request,
        status: u16,
        fields: *const gw_field,
        field_count: usize,
        body: gw_buffer,
    ) -> gw_status,
    pub start: unsafe extern "C" fn(
        gw_context,
        gw_request,
        status: u16,
        fields: *const gw_field,
        field_count: usize,
        length: u64,
    ) -> gw_status,
    pub write: unsafe extern "C" fn(gw_context, gw_request, bytes: gw_buffer) -> gw_status,
    pub finish: unsafe extern "C" fn(gw_context, gw_request) -> gw_status,
    pub abort: unsafe extern "C" fn(gw_context, gw_request) -> gw_status,
}

// ---- events ----

pub const GW_EVENTS_1: &CStr = c"gw.events/1";
pub const GW_TOPIC_PUBLIC: u32 = 1;
pub type gw_event_fn = unsafe extern "C" fn(user: *mut c_void, topic: gw_bytes, subject: gw_bytes, payload: gw_bytes);

#[repr(C)]
pub struct gw_events_v1 {
    pub declare: unsafe extern "C" fn(gw_context, topic: gw_bytes, scope: gw_bytes, flags: u32) -> gw_status,
    pub publish: unsafe extern "C" fn(gw_context, topic: gw_bytes, subject: gw_bytes, payload: gw_bytes) -> gw_status,
    pub subscribe:
        unsafe extern "C" fn(gw_context, topic: gw_bytes, event: gw_event_fn, user: *mut c_void) -> gw_status,
}

// ---- services ----

pub const GW_SERVICES_1: &CStr = c"gw.services/1";

#[repr(C)]
pub struct gw_call_v1 {
    pub method: gw_bytes,
    pub argument: gw_bytes,
    pub subject: gw_bytes,
    pub caller: gw_bytes,
}

pub type gw_serve_fn = unsafe extern "C" fn(user: *mut c_void, call: *const gw_call_v1, answer: gw_operation);
pub type gw_called_fn = unsafe extern "C" fn(user: *mut c_void, status: gw_status, result: gw_bytes);

#[repr(C)]
pub struct gw_services_v1 {
    pub serve: unsafe extern "C" fn(gw_context, name: gw_bytes, serve: gw_serve_fn, user: *mut c_void) -> gw_status,
    pub call: unsafe extern "C" fn(
        gw_context,
        service: gw_bytes,
        call: *const gw_call_v1,
        timeout_ms: u64,
        called: gw_called_fn,
        user: *mut c_void,
    ) -> gw_status,
}

// ---- health ----

pub const GW_HEALTH_1: &CStr = c"gw.health/1";
pub const GW_HEALTHY: i32 = 0;
pub const GW_DEGRADED: i32 = 1;
pub const GW_UNHEALTHY: i32 = 2;
pub type gw_check_fn = unsafe extern "C" fn(user: *mut c_void, answer: gw_operation);

#[repr(C)]
pub struct gw_health_v1 {
    pub add_check: unsafe extern "C" fn(
        gw_context,
        name: gw_bytes,
        period_ms: u64,
        timeout_ms: u64,
        check: gw_check_fn,
        user: *mut c_void,
    ) -> gw_status,
    pub report: unsafe extern "C" fn(gw_context, answer: gw_operation, state: i32, detail: gw_bytes) -> gw_status,
}

// ---- metrics ----

pub const GW_METRICS_1: &CStr = c"gw.metrics/1";
pub const GW_COUNTER: i32 = 1;
pub const GW_GAUGE: i32 = 2;
pub const GW_HISTOGRAM: i32 = 3;

#[repr(C)]
pub struct gw_metrics_v1 {
    pub define: unsafe extern "C" fn(
        gw_context,
        kind: i32,
        name: gw_bytes,
        help: gw_bytes,
        labels: *const gw_bytes,
        label_count: usize,
        metric: *mut gw_metric,
    ) -> gw_status,
    pub record: unsafe extern "C" fn(
        gw_context,
        gw_metric,
        value: f64,
        label_values: *const gw_bytes,
        label_count: usize,
    ) -> gw_status,
}

// ---- jobs ----

pub const GW_JOBS_1: &CStr = c"gw.jobs/1";
pub type gw_job_fn = unsafe extern "C" fn(user: *mut c_void, job: gw_job);
pub type gw_index_fn = unsafe extern "C" fn(user: *mut c_void, index: usize);

#[repr(C)]
pub struct gw_jobs_v1 {
    pub start: unsafe extern "C" fn(
        gw_context,
        name: gw_bytes,
        work: gw_job_fn,
        user: *mut c_void,
        job: *mut gw_job,
    ) -> gw_status,
    pub submit: unsafe extern "C" fn(gw_context, work: gw_job_fn, user: *mut c_void) -> gw_status,
    pub every: unsafe extern "C" fn(
        gw_context,
        name: gw_bytes,
        period_ms: u64,
        work: gw_job_fn,
        user: *mut c_void,
    ) -> gw_status,
    pub should_stop: unsafe extern "C" fn(gw_context, gw_job) -> i32,
    pub stop: unsafe extern "C" fn(gw_context, gw_job) -> gw_status,
    pub parallel:
        unsafe extern "C" fn(gw_context, count: usize, width: usize, work: gw_index_fn, user: *mut c_void) -> gw_status,
}

// ---- what a plugin offers ----

pub const GW_PLUGIN_STATE_1: &CStr = c"gw.plugin.state/1";
pub type gw_write_fn = unsafe extern "C" fn(sink: *mut c_void, bytes: gw_bytes) -> gw_status;

#[repr(C)]
pub struct gw_plugin_state_v1 {
    pub schema: gw_bytes,
    pub writes: u32,
    pub reads_from: u32,
    pub reads_to: u32,
    pub snapshot: unsafe extern "C" fn(this: *mut c_void, sink: *mut c_void, write: gw_write_fn) -> gw_status,
    pub restore: unsafe extern "C" fn(this: *mut c_void, schema_number: u32, state: gw_bytes) -> gw_status,
}

pub const GW_PLUGIN_JOBS_1: &CStr = c"gw.plugin.jobs/1";

#[repr(C)]
pub struct gw_plugin_jobs_v1 {
    pub resume: unsafe extern "C" fn(this: *mut c_void),
}

pub const GW_PLUGIN_SELFTEST_1: &CStr = c"gw.plugin.selftest/1";

#[repr(C)]
pub struct gw_plugin_selftest_v1 {
    pub run: unsafe extern "C" fn(this: *mut c_void) -> gw_status,
}
