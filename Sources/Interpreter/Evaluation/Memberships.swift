import Language
import Threads

/// Remembers the lists that `in` looks through for every row, as sets: `where id not in old.id` over 20,000 and 10,000 rows is 30,000
/// steps, not 200 million.
///
/// A list is known again by its storage, which an entry keeps alive; so a list that has changed is another one. The first look goes
/// through the list, the second makes the set: a list that grows in a loop is never made into one.
final class Memberships: Sendable {
  private struct Entry {
    let expression: Expression
    /// The list at the root of the expression (`old` in `old.id`).
    let root: [Value]
    let list: [Value]
    var keys: Set<ValueKey>?
  }

  private static let mostEntries = 8
  /// Shorter lists are gone through.
  static let leastCount = 16
  private let entries = Mutex<[Entry]>([])

  /// - Parameter list: what the expression makes of its root; asked for the first time only.
  func holds(_ value: Value, _ expression: Expression, root: [Value], list: () throws -> [Value]) rethrows -> Bool {
    guard let known = entries.withLock({ $0.first { $0.expression === expression && Self.isSame($0.root, root) } }) else {
      let list = try list()
      entries.withLock { entries in
        entries.removeAll { $0.expression === expression }
        if entries.count == Self.mostEntries { entries.removeFirst() }
        entries.append(Entry(expression: expression, root: root, list: list))
      }
      return list.contains { $0.equals(value) }
    }
    if let keys = known.keys { return keys.contains(ValueKey(value)) }
    let keys = Set(known.list.lazy.map(ValueKey.init))
    entries.withLock { entries in
      guard let index = entries.firstIndex(where: { $0.expression === expression && Self.isSame($0.root, root) }) else { return }
      entries[index].keys = keys
    }
    return keys.contains(ValueKey(value))
  }

  func forget() { entries.withLock { $0 = [] } }

  private static func isSame(_ a: [Value], _ b: [Value]) -> Bool {
    a.count == b.count && a.withUnsafeBufferPointer { $0.baseAddress } == b.withUnsafeBufferPointer { $0.baseAddress }
  }
}

extension Context {
  /// Whether the value of `container` holds a value: `x in xs`, `id in old.id`.
  func holds(_ value: Value, in container: Expression, at span: Span) async throws -> Bool {
    var path: [String] = []
    var root = container
    while case .field(let base, let name) = root.node { (root, path) = (base, [name] + path) }
    let found = try await self.value(root)
    func reached() throws -> Value { try path.reduce(found) { try field($1, of: $0, at: container.span) } }
    guard case .list(let elements) = found, elements.count >= Memberships.leastCount else {
      let whole = try reached()
      return try located(span) { () throws(OperationError) in try value.apply(.in, whole).truth() }
    }
    try located(span) { () throws(OperationError) in try value.answered() }
    return try session.memberships.holds(value, container, root: elements) { try reached().elements ?? [] }
  }
}
