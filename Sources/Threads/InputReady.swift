#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Why a wait for a descriptor could not even begin.
public struct NoWait: Error, Sendable, CustomStringConvertible {
  public var description: String { "the system gives no thread or pipe to wait with (`ulimit -u`, `ulimit -n`)" }
}

/// Returns when a read of the descriptor is over at once: there is something, or the end. The wait is on a thread of its own.
///
/// - Throws: `CancellationError` where the task is cancelled first.
public func inputReady(_ descriptor: Int32) async throws {
  if !waitForInput(descriptor, wake: -1, milliseconds: 0).isLate { return try Task.checkCancellation() }
  try await interruptible { wake in
    let ready = waitForInput(descriptor, wake: wake)
    return !ready.isWoken || ready.hasInput
  }
}

/// Runs what blocks on a thread of its own until it is over or the task is cancelled.
///
/// - Parameter body: gets a descriptor that can be read as soon as it should give up; false where it gave up.
/// - Throws: `CancellationError`.
public func interruptible(_ body: @escaping @Sendable (_ wake: Int32) -> Bool) async throws {
  try Task.checkCancellation()
  var ends: [Int32] = [-1, -1]
  guard pipe(&ends) == 0 else { throw NoWait() }
  for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  let (readEnd, writeEnd) = (ends[0], ends[1])
  defer {
    close(readEnd)
    close(writeEnd)
  }
  let isDone = await withTaskCancellationHandler {
    await withCheckedContinuation { (continuation: CheckedContinuation<Bool?, Never>) in
      startThread {
        continuation.resume(returning: body(readEnd))
      } orHere: {
        continuation.resume(returning: nil)
      }
    }
  } onCancel: {
    var byte: UInt8 = 0
    _ = write(writeEnd, &byte, 1)
  }
  guard let isDone else { throw NoWait() }
  try Task.checkCancellation()
  if !isDone { throw CancellationError() }
}
