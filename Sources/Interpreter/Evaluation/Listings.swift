import Chat
import Threads

/// The models that servers have said they have, by provider. A name that is none of them is not refused, for some servers take any: it is
/// said once.
final class Listings: Sendable {
  private let names = Mutex<[String: Set<String>]>([:])
  private let isEmpty = Atomic(true)

  func note(_ provider: String, _ listed: [String]) {
    names.withLock { $0[provider] = Set(listed) }
    isEmpty.store(false, ordering: .relaxed)
  }

  /// The provider went elsewhere.
  func forget(_ provider: String) { names.withLock { $0[provider] = nil } }

  /// How many models a server lists, where this is none of them; nil where it is one, or nothing is known.
  func count(without model: ModelName) -> Int? {
    // Every call asks.
    if isEmpty.load(ordering: .relaxed) { return nil }
    return names.withLock { names in
      guard let listed = names[model.provider], !listed.isEmpty else { return nil }
      // Ollama lists `llama3.2:latest` and is asked for `llama3.2`.
      return listed.contains(model.name) || listed.contains(model.name + ":latest") ? nil : listed.count
    }
  }
}
