//! hello_rust: a small plugin of the AIVillage gateway. What it does is in `service.rs`; `gateway.rs` has what it is
//! made of, and `boundary.rs` is the only file with `unsafe`.

mod abi;
mod boundary;
mod gateway;
mod json;
mod layout;
mod service;

#[cfg(test)]
mod fake_host;
#[cfg(test)]
mod tests;

/// The one symbol that the library exports. Pure: the same answer each time.
#[unsafe(no_mangle)]
pub extern "C" fn gw_plugin_entry(host_major: u32, _host_minor: u32) -> *const abi::gw_plugin_v1 {
    boundary::descriptor::<service::HelloRust>(host_major)
}
