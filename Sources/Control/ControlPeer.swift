import JSON
import Threads

/// Somebody who is connected to a session. Messages are queued; the control thread writes them as the peer reads.
public final class ControlPeer: Sendable {
  /// More than this is not kept for a peer that does not read: a longer answer is refused (`send` is false). What is short has 64 KiB
  /// beyond; whoever leaves that full too is disconnected.
  static let mostPending = 4 << 20

  struct Outgoing {
    var bytes: [UInt8] = []
    var sent = 0
    var isWatching = false
    var isClosing = false
    /// It did not read what it asked for.
    var isOverfull = false

    var isEmpty: Bool { sent == bytes.count }
    var pending: Int { bytes.count - sent }
  }

  /// Its process, where the system says so.
  public let process: Int32?
  let outgoing = Mutex(Outgoing())
  private let wake: @Sendable () -> Void

  init(process: Int32?, wake: @escaping @Sendable () -> Void) {
    self.process = process
    self.wake = wake
  }

  /// - Returns: false where it has not read what was sent before: nothing is kept of this then, but what is short is, as long as its
  ///   64 KiB last.
  @discardableResult
  public func send(_ message: ControlMessage) -> Bool {
    let bytes = message.json.line
    let isShort = bytes.count < 1024
    return outgoing.withLock { isShort || $0.pending + bytes.count <= ControlPeer.mostPending } ? queue(bytes) : false
  }

  /// Closes the connection once it has read this.
  public func refuse(_ why: String) { close(after: .refused(why)) }

  /// The connection is closed once everything queued is written.
  func close(after message: ControlMessage? = nil) {
    if let message { queue(message.json.line) }
    outgoing.withLock { $0.isClosing = true }
    wake()
  }

  /// A picture of the state for those who watch; dropped where the last one is not read yet, so that a slow peer costs nothing.
  func show(_ frame: [UInt8]) {
    let isQueued = outgoing.withLock { outgoing in
      guard outgoing.isWatching, outgoing.isEmpty else { return false }
      outgoing.bytes = frame
      outgoing.sent = 0
      return true
    }
    if isQueued { wake() }
  }

  @discardableResult
  private func queue(_ bytes: [UInt8]) -> Bool {
    let isQueued = outgoing.withLock { outgoing in
      if outgoing.isEmpty {
        outgoing.bytes.removeAll(keepingCapacity: outgoing.bytes.count < 1 << 16)
        outgoing.sent = 0
      }
      // What is short has some room beyond; one who leaves even that full does not read at all.
      if outgoing.pending + bytes.count > ControlPeer.mostPending + (64 << 10) {
        outgoing.isOverfull = true
      } else {
        if outgoing.sent > 1 << 20 {
          outgoing.bytes.removeFirst(outgoing.sent)
          outgoing.sent = 0
        }
        outgoing.bytes += bytes
      }
      return !outgoing.isOverfull
    }
    wake()
    return isQueued
  }
}
