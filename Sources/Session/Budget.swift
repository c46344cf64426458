/// How often a peer may make us do something expensive: so many at once, and one more every so many seconds.
package struct Budget: Sendable {
  let capacity: UInt64
  let refillSeconds: UInt64
  private var spent: UInt64 = 0
  private var since: UInt64 = 0

  /// A budget with nothing spent.
  package init(capacity: UInt64, refillSeconds: UInt64) {
    self.capacity = capacity
    self.refillSeconds = refillSeconds
  }

  /// Whether there is one left; if so it is spent. Where the clock was put back, the refill counts from there.
  package mutating func spend(at now: UInt64) -> Bool {
    guard hasOne(at: now) else { return false }
    spent += 1
    return true
  }

  /// Whether there is one left to spend.
  mutating func hasOne(at now: UInt64) -> Bool {
    if spent == 0 || now < since { since = now }
    let refilled = now > since ? (now - since) / refillSeconds : 0
    if refilled > 0 {
      spent -= min(spent, refilled)
      since += refilled * refillSeconds
    }
    return spent < capacity
  }
}
