/// Receives an answer as it arrives. All calls come from the curl thread, one after the other: keep them short.
///
/// A handler is confined to that thread from the start of its transfer to the return of `Transfer.run`, which
/// orders everything the calls did before everything after it.
public protocol ResponseHandler: AnyObject {
  /// The status line and headers of the final answer (1xx answers are passed over).
  func received(head: ResponseHead)
  func received(body: UnsafeRawBufferPointer) -> BodyVerdict
  /// Whether what was asked for has yet to begin, though bytes have come (headers, keep-alive comments).
  var isWaiting: Bool { get }
  /// A count that rises with what was asked for, and not with comments and the like; nil where every byte is wanted.
  var progress: Int? { get }
  /// The bytes of this turn of the loop have all been handed over; wake consumers now, once.
  func turnEnded()
}

extension ResponseHandler {
  public var isWaiting: Bool { false }
  public var progress: Int? { nil }
}

public enum BodyVerdict: Sendable {
  case proceed
  /// These bytes were taken; give no more until `Transfer.resume`.
  case pause
  /// These bytes were taken and no more is wanted: end the transfer.
  case stop
  /// The answer is whole: the transfer is over for its owner at the end of this turn. It may run on by itself for a moment, so that
  /// its connection can be used again.
  case complete
}

/// Status and headers, the headers left as they came until somebody asks.
public struct ResponseHead: Sendable {
  public var status: Int
  var raw: [UInt8]

  /// For tests of decoders.
  public init(status: Int, raw: [UInt8]) {
    self.status = status
    self.raw = raw
  }

  /// Whether these lower-case bytes stand anywhere in the headers: a cheap look before a search for several names.
  public func mentions(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard raw.count >= count else { return false }
    return raw.withUnsafeBytes { bytes in
      (0...(bytes.count - count)).contains { start in
        lowered(bytes[start]) == text.utf8Start[0] && (1..<count).allSatisfy { lowered(bytes[start + $0]) == text.utf8Start[$0] }
      }
    }
  }

  /// The first header of this name, in any case; nil if there is none.
  public subscript(name: String) -> String? {
    let name = Array(name.utf8)
    return raw.withUnsafeBytes { bytes in
      for line in bytes.split(separator: 0x0A) where line.count > name.count {
        let line = UnsafeRawBufferPointer(rebasing: line)
        guard line[name.count] == UInt8(ascii: ":"), zip(line, name).allSatisfy({ lowered($0) == lowered($1) }) else { continue }
        let value = line[(name.count + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
        return String(decoding: value, as: UTF8.self).trimmingTrailingSpace()
      }
      return nil
    }
  }
}

@inline(__always)
private func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

extension String {
  fileprivate func trimmingTrailingSpace() -> String {
    var view = self[...]
    while let last = view.last, last.isWhitespace { view.removeLast() }
    return String(view)
  }
}
