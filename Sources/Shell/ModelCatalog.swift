import Interpreter
import Synchronization

/// The models that servers say they have, for completion: asked once for each provider, in the background, so that no key waits.
final class ModelCatalog: Sendable {
  private struct State {
    var names: [String: [String]] = [:]
    var asked: Set<String> = []
  }

  private let state = Mutex(State())
  private let directory: any ModelDirectory

  init(_ directory: any ModelDirectory) {
    self.directory = directory
  }

  /// What is known now; what is not is asked for, and there the next time.
  func names(of provider: String) -> [String] {
    let (known, mustAsk) = state.withLock { state in (state.names[provider] ?? [], state.asked.insert(provider).inserted) }
    if mustAsk {
      Task {
        switch await directory.models(of: provider) {
        case .success(let names): state.withLock { $0.names[provider] = names }
        // A server that is not there yet is asked again.
        case .failure: state.withLock { _ = $0.asked.remove(provider) }
        }
      }
    }
    return known
  }
}
