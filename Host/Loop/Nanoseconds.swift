extension Duration {
  /// The duration in whole nanoseconds; beyond 292 years, the longest there is.
  package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflows ? .max : whole + attoseconds / 1_000_000_000
  }
}
