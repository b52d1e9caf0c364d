package import PluginStorage

/// The prices in the database.
package enum PriceTable {
  /// The stored prices, and when they were last moved.
  package static func all(
    _ connection: inout Connection
  ) throws(StorageError) -> (prices: [FogTier: Amount], steppedAt: Int64?) {
    var prices: [FogTier: Amount] = [:]
    var steppedAt: Int64?
    let rows = try connection.rows("SELECT tier, price, stepped_at FROM fog_prices") {
      ($0.text(0), $0.count(1), $0.integer(2))
    }
    for (tier, price, at) in rows {
      guard let tier = FogTier(rawValue: tier) else { continue }
      prices[tier] = Amount(price)
      steppedAt = at
    }
    return (prices, steppedAt)
  }

  /// Stores the prices.
  package static func put(
    _ prices: [FogTier: Amount],
    at: Int64,
    _ connection: inout Connection
  ) throws(StorageError) {
    for (tier, price) in prices {
      try connection.run(
        "INSERT OR REPLACE INTO fog_prices (tier, price, stepped_at) VALUES (?, ?, ?)",
        [.text(tier.rawValue), .count(price.parts), .integer(at)]
      )
    }
  }
}
