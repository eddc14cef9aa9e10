import Threads

/// The names that any row of a list has: a field that others have is nothing in a row that lacks it.
///
/// Worked out when a name is first missed.
final class RowFields: Sendable {
  private enum State {
    case rows([Value])
    case names(Set<String>)
  }

  private let state: Mutex<State>

  init(_ rows: [Value]) {
    state = Mutex(.rows(rows))
  }

  /// A row that failed keeps the rows that it was among, which may be such rows of an earlier run.
  deinit {
    releaseInTurn {
      state.withLock { state in
        defer { state = .names([]) }
        return state
      }
    }
  }

  func contains(_ name: String) -> Bool { all.contains(name) }

  var all: Set<String> {
    let current = state.withLock { $0 }
    switch current {
    case .names(let names): return names
    case .rows(let rows):
      let names = Self.names(rows)
      state.withLock { $0 = .names(names) }
      return names
    }
  }

  private static func names(_ rows: [Value]) -> Set<String> {
    var names: Set<String> = []
    var last: [String] = []
    for row in rows {
      let fields: [String]
      switch row {
      case .record(let record): fields = record.fields.map(\.name)
      // Its own every reply has.
      case .reply(let reply): fields = reply.data.map(\.name)
      default: continue
      }
      if fields == last { continue }
      names.formUnion(fields)
      last = fields
    }
    return names
  }
}
