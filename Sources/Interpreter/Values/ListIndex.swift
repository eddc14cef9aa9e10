import Language
import Threads

/// What a list holds, as sets: `where id not in old.id` over 20,000 and 10,000 rows is 30,000 steps, not 200 million.
///
/// Copies of a list share it, and it goes with the last of them. A list that grows in place takes it along, so that `if x not in seen
/// { let seen = seen + [x] }` costs each element once; one that becomes another list leaves it. The first look goes through the list,
/// the second makes the set: most lists are looked through once.
final class ListIndex: Sendable {
  private struct Entry {
    var keys: Set<ValueKey> = []
    /// Elements whose keys are among them.
    var covered = 0
  }

  /// Shorter lists are gone through.
  static let leastCount = 16
  /// By the fields that are read of the elements: `id`; empty for the elements themselves.
  private let entries = Mutex<[String: Entry]>([:])

  /// - Parameter read: what stands for some of the elements, one for each.
  func holds(_ value: Value, in list: List, _ path: String, _ read: ([Value]) throws -> [Value]) rethrows -> Bool {
    guard let covered = entries.withLock({ $0[path]?.covered }) else {
      entries.withLock { $0[path] = Entry() }
      return try read(list.values).contains { $0.equals(value) }
    }
    let key = ValueKey(value)
    if key.isUnlikeAll { return false }
    if covered < list.count {
      let keys = try read(Array(list.values[covered...])).map(ValueKey.init)
      entries.withLock { entries in
        guard entries[path]?.covered == covered else { return }
        entries[path]?.keys.formUnion(keys)
        entries[path]?.covered = list.count
      }
    }
    return entries.withLock { $0[path]?.keys.contains(key) ?? false }
  }
}

extension List {
  func holds(_ value: Value) -> Bool {
    guard let index else { return values.contains { $0.equals(value) } }
    return index.holds(value, in: self, "") { $0 }
  }
}

extension Context {
  /// Whether the value of `container` holds a value: `x in xs`, `id in old.id`.
  func holds(_ value: Value, in container: Expression, at span: Span) async throws -> Bool {
    var path: [String] = []
    var root = container
    while case .field(let base, let name) = root.node { (root, path) = (base, [name] + path) }
    let found = try await self.value(root)
    func reached(_ value: Value) throws -> Value { try path.reduce(value) { try field($1, of: $0, at: container.span) } }
    guard !path.isEmpty, case .list(let list) = found, let index = list.index else {
      let whole = try reached(found)
      return try located(span) { () throws(OperationError) in try value.apply(.in, whole).truth() }
    }
    try located(span) { () throws(OperationError) in try value.answered() }
    return try index.holds(value, in: list, path.joined(separator: "\0")) { values in
      if values.count < list.count, let read = try? reached(.list(values)).elements { return read }
      // What only the whole list tells is whether it knows the field.
      return try (reached(.list(list.values)).elements ?? []).suffix(values.count)
    }
  }
}
