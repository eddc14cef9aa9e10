import Interpreter
import Threads

/// The models that servers say they have, for completion: asked once for each provider, in the background, so that no key waits.
final class ModelCatalog: Sendable {
  private struct State {
    var names: [String: [String]] = [:]
    var asked: Set<String> = []
    /// Called when more is known than before.
    var arrived: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let directory: any ModelDirectory

  init(_ directory: any ModelDirectory) {
    self.directory = directory
  }

  /// Called when more is known than before.
  func onArrival(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.arrived = body } }

  /// What is known now; what is not is asked for, and there the next time.
  func names(of provider: String) -> [String] {
    let (known, mustAsk) = state.withLock { state in (state.names[provider] ?? [], state.asked.insert(provider).inserted) }
    if mustAsk {
      Task {
        switch await directory.models(of: provider) {
        case .success(let names):
          let arrived = state.withLock { state in
            state.names[provider] = names
            return state.arrived
          }
          arrived?()
        // A server that is not there yet is asked again.
        case .failure: state.withLock { _ = $0.asked.remove(provider) }
        }
      }
    }
    return known
  }
}
