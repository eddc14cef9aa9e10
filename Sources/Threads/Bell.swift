/// A one-shot wake-up between threads.
public final class Bell: Sendable {
  private let isRung = Monitor(false)

  public init() {}

  public func ring() { isRung.change { $0 = true } }

  public func wait() { isRung.wait(until: Self.take) }

  /// Waits so many milliseconds at most; whether it was rung.
  public func wait(milliseconds: Int) -> Bool { isRung.wait(milliseconds: milliseconds, until: Self.take) }

  private static func take(_ isRung: inout Bool) -> Bool {
    defer { isRung = false }
    return isRung
  }
}
