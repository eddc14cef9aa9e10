/// A value kept in one place, which copies share until one of them is changed.
///
/// For what is large or holds many references, is handed on often and seldom changed: a copy counts one reference, and takes a word of
/// the frame that holds it. Inlined into whoever uses it: not inlined, each look at one part copies the whole.
@frozen
public struct CopyOnWrite<Value: Sendable>: Sendable {
  /// `@unchecked Sendable`, and no check of exclusive access: changed only while one holder alone has it, whose own access is checked.
  @usableFromInline
  final class Box: @unchecked Sendable {
    @usableFromInline @exclusivity(unchecked) final var value: Value
    @inlinable init(_ value: Value) { self.value = value }
  }

  @usableFromInline var box: Box

  @inlinable @inline(__always)
  public init(_ value: Value) {
    box = Box(value)
  }

  @inlinable
  public var value: Value {
    @inline(__always) _read { yield box.value }
    @inline(__always) _modify {
      if !isKnownUniquelyReferenced(&box) { box = Box(box.value) }
      yield &box.value
    }
  }

  /// Whether both are one and the same, without a look at the value.
  @inlinable @inline(__always)
  public func isSame(as other: CopyOnWrite) -> Bool { box === other.box }
}
