/// Orders what one thread did before `give` before what another does after `take`, for the thread sanitizer's eyes: where a
/// continuation orders them in truth, inside a runtime that is not instrumented. Nothing otherwise.
public struct Handover: Sendable {
  #if SANITIZE_THREAD
    private final class Box: Sendable { let lock = Mutex(()) }
    private let box = Box()
  #endif

  public init() {}

  @inline(__always)
  public func give() {
    #if SANITIZE_THREAD
      box.lock.withLock { _ in }
    #endif
  }

  @inline(__always)
  public func take() { give() }
}
