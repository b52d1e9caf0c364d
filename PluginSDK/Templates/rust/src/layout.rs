//! Size and offsets of every struct of `abi.rs`. Rust checks them wherever it builds; `cargo test` has the C compiler
//! check the same numbers against `gateway_plugin.h`. So neither side can drift from the other unseen.
#![forbid(unsafe_code)]

use crate::abi::*;

/// A struct's name and size, and its members' names and offsets.
#[cfg(test)]
pub type Layout = (&'static str, usize, &'static [(&'static str, usize)]);

macro_rules! layout {
    ($($name:ident: $size:literal { $($member:ident: $offset:literal),* $(,)? })*) => {
        const _: () = {
            $(
                assert!(size_of::<$name>() == $size);
                $(assert!(std::mem::offset_of!($name, $member) == $offset);)*
            )*
        };
        #[cfg(test)]
        pub const LAYOUTS: &[Layout] =
            &[$((stringify!($name), $size, &[$((stringify!($member), $offset)),*])),*];
    };
}

layout! {
    gw_context: 8 { v: 0 }
    gw_request: 8 { v: 0 }
    gw_operation: 8 { v: 0 }
    gw_job: 8 { v: 0 }
    gw_metric: 8 { v: 0 }
    gw_bytes: 16 { start: 0, count: 8 }
    gw_field: 32 { name: 0, value: 16 }
    gw_host_v1: 32 { struct_size: 0, abi_major: 4, abi_minor: 8, generation: 12, context: 16, interface: 24 }
    gw_plugin_v1: 104 {
        struct_size: 0, abi_major: 4, abi_minor: 8, flags: 12, id: 16, version: 32, description: 48,
        create: 64, interface: 72, activate: 80, quiesce: 88, destroy: 96,
    }
    gw_core_v1: 32 { now: 0, data_directory: 8, set_error: 16, complete: 24 }
    gw_log_v1: 16 { enabled: 0, write: 8 }
    gw_request_v1: 240 {
        handle: 0, method: 8, target: 24, path: 40, query: 56, parameters: 72, parameter_count: 80,
        fields: 88, field_count: 96, body: 104, body_length: 120, subject: 128, scopes: 144, tier: 160,
        request_id: 176, trace_id: 192, peer: 208, deadline: 224, flags: 232,
    }
    gw_http_handler_v1: 40 { request: 0, body: 8, writable: 16, cancel: 24, end: 32 }
    gw_route_v1: 96 {
        method: 0, pattern: 16, scope: 32, flags: 48, max_in_flight: 52, max_body: 56, timeout_ms: 64,
        operation: 72, user: 88,
    }
    gw_buffer: 32 { bytes: 0, release: 16, owner: 24 }
    gw_http_v1: 64 {
        add_route: 0, reply: 8, fail: 16, respond: 24, start: 32, write: 40, finish: 48, abort: 56,
    }
    gw_events_v1: 24 { declare: 0, publish: 8, subscribe: 16 }
    gw_call_v1: 64 { method: 0, argument: 16, subject: 32, caller: 48 }
    gw_services_v1: 16 { serve: 0, call: 8 }
    gw_health_v1: 16 { add_check: 0, report: 8 }
    gw_metrics_v1: 16 { define: 0, record: 8 }
    gw_jobs_v1: 48 { start: 0, submit: 8, every: 16, should_stop: 24, stop: 32, parallel: 40 }
    gw_plugin_state_v1: 48 { schema: 0, writes: 16, reads_from: 20, reads_to: 24, snapshot: 32, restore: 40 }
    gw_plugin_jobs_v1: 8 { resume: 0 }
    gw_plugin_selftest_v1: 8 { run: 0 }
}
