/// A name and a password that a proxy refuses are tried once, for all: accounts get locked. So the first request that uses them goes
/// alone until the proxy has let something through.
struct ProxyGates {
  private enum Gate {
    case trying(Transfer, waiting: [Transfer])
    case open
    case shut
  }

  enum Entry {
    case open, waits, refused
  }

  /// Of proxies with a name and a password; they are one or two.
  private var gates: [(server: ProxyServer, gate: Gate)] = []

  mutating func enter(_ transfer: Transfer, _ server: ProxyServer) -> Entry {
    if server.userinfo == nil { return .open }
    guard let index = index(server) else {
      gates.append((server, .trying(transfer, waiting: [])))
      return .open
    }
    switch gates[index].gate {
    case .open: return .open
    case .shut: return .refused
    case .trying(let first, var waiting):
      if first === transfer { return .open }
      waiting.append(transfer)
      gates[index].gate = .trying(first, waiting: waiting)
      return .waits
    }
  }

  /// The proxy has let it through: whoever waited may go.
  mutating func passed(_ transfer: Transfer, _ server: ProxyServer) -> [Transfer] {
    guard let index = index(server), case .trying(let first, let waiting) = gates[index].gate, first === transfer else { return [] }
    gates[index].gate = .open
    return waiting
  }

  /// It is over. Where it was the first, those that waited for it, and the gate is as if nobody had tried; shut where it was refused.
  mutating func leave(_ transfer: Transfer, _ server: ProxyServer, isRefused: Bool) -> [Transfer] {
    guard let index = index(server) else { return [] }
    if case .trying(let first, let waiting) = gates[index].gate, first === transfer {
      if isRefused { gates[index].gate = .shut } else { gates.remove(at: index) }
      return waiting
    }
    if isRefused { gates[index].gate = .shut }
    return []
  }

  private func index(_ server: ProxyServer) -> Int? { gates.firstIndex { $0.server == server } }
}
