import Threads

/// Runs two bodies on a thread each; returns when both are done.
public func together(_ first: @escaping @Sendable () -> Void, and second: @escaping @Sendable () -> Void) async {
  async let one: Void = onThread(first)
  async let other: Void = onThread(second)
  _ = await (one, other)
}

private func onThread(_ body: @escaping @Sendable () -> Void) async {
  await withCheckedContinuation { continuation in
    startThread {
      body()
      continuation.resume()
    }
  }
}
