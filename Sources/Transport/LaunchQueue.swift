/// Transfers in the order in which they may begin.
struct LaunchQueue {
  private var transfers: [Transfer] = []
  private var first = 0

  var isEmpty: Bool { first == transfers.count }

  mutating func append(_ transfer: Transfer) { transfers.append(transfer) }

  mutating func next() -> Transfer? {
    guard first < transfers.count else { return nil }
    let transfer = transfers[first]
    first += 1
    if first == transfers.count {
      transfers.removeAll(keepingCapacity: true)
      first = 0
    }
    return transfer
  }
}
