import Threads

/// Something that opens once, and lets through whoever waits for it.
public final class Opening: Sendable {
  private let isOpen = Monitor(false)

  public init() {}

  public func open() { isOpen.change { $0 = true } }

  /// False where it never opened.
  @discardableResult
  public func wait() -> Bool { isOpen.wait(milliseconds: Patience.milliseconds) { $0 } }
}
