/// An expression and where it stands.
public final class Expression: Sendable {
  public let node: Node
  public let span: Span
  /// Whether no call, pipeline or block is in it: its value is there at once, unless a variable in it holds a job.
  public let isImmediate: Bool

  public init(_ node: Node, _ span: Span) {
    self.node = node
    self.span = span
    isImmediate = node.isImmediate
  }

  public enum Node: Sendable {
    case nothing
    case bool(Bool)
    case int(Int)
    case number(Double)
    case duration(Duration)
    /// A text; without holes it is one plain piece, or none.
    case text([TextPiece])
    case name(String)
    /// `%2`: a job by number.
    case job(Int)
    case list([Expression])
    case record([RecordMember])
    case field(Expression, String)
    case index(Expression, Expression)
    case call(Expression, [CallArgument])
    case unary(UnaryOperator, Expression)
    case binary(BinaryOperator, Expression, Expression)
    case range(Expression, Expression)
    /// `( … )` that holds a command or a pipeline of them.
    case pipeline(Pipeline)
    case block(Block)

    fileprivate var isImmediate: Bool {
      switch self {
      case .nothing, .bool, .int, .number, .duration, .name: true
      case .text(let pieces): pieces.allSatisfy { if case .hole(let hole) = $0 { hole.isImmediate } else { true } }
      case .list(let elements): elements.allSatisfy(\.isImmediate)
      case .record(let members): members.allSatisfy(\.value.isImmediate)
      case .field(let base, _): base.isImmediate
      case .unary(_, let operand): operand.isImmediate
      // A list is looked through once for many rows, which may mean waiting for the row that does it.
      case .binary(.in, _, _), .binary(.notIn, _, _): false
      case .index(let a, let b), .binary(_, let a, let b), .range(let a, let b): a.isImmediate && b.isImmediate
      case .job, .call, .pipeline, .block: false
      }
    }
  }
}

public enum TextPiece: Sendable {
  case plain(String)
  case hole(Expression)
}

public struct RecordMember: Sendable {
  public var name: String
  public var value: Expression
}

public struct CallArgument: Sendable {
  /// Nil for a positional argument.
  public var name: String?
  public var value: Expression
}

public enum UnaryOperator: String, Sendable {
  case minus = "-"
  case not
}

public enum BinaryOperator: String, Sendable {
  case or, and
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case `in`
  case notIn = "not in"
  case contains, matches
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case remainder = "%"

  /// What is false of a value that is not there, rather than an error, where a row's answer is not as asked.
  public var isFalseOfNothing: Bool {
    switch self {
    case .less, .lessOrEqual, .greater, .greaterOrEqual, .in, .contains, .matches: true
    default: false
    }
  }

  /// Binding strength; a row an operator. All associate to the left.
  var precedence: Int {
    switch self {
    case .or: 1
    case .and: 2
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .in, .notIn, .contains, .matches: 4
    case .add, .subtract: 6
    case .multiply, .divide, .remainder: 7
    }
  }
}
