/// A whole text: what stands between its first and last line.
public struct Program: Sendable {
  public var source: Source
  public var block: Block
  /// Where texts with holes have a brace that is none, but might have been meant so: before a digit, a bracket, a sign or a space.
  public var braces: [Int] = []
}

public final class Block: Sendable {
  public let statements: [Statement]
  public let span: Span

  init(_ statements: [Statement], _ span: Span) {
    self.statements = statements
    self.span = span
  }

  /// One statement.
  public convenience init(of pipeline: Pipeline) {
    self.init([Statement(node: .pipeline(pipeline), span: pipeline.span)], pipeline.span)
  }
}

public struct Statement: Sendable {
  public var node: Node
  public var span: Span
  /// `&` at its end.
  public var isBackground = false

  public indirect enum Node: Sendable {
    case pipeline(Pipeline)
    case binding(name: Name, value: Pipeline)
    case prompt(PromptDefinition)
    case function(FunctionDefinition)
    case `if`([(condition: Expression, body: Block)], else: Block?)
    case `for`(Name, in: Pipeline, Block)
    case attempt(Block, error: Name?, handler: Block?)
    case `return`(Pipeline?)
    case on(event: Name, Block)
  }
}

/// A name being introduced or referred to, and where.
public struct Name: Sendable, Equatable {
  public var text: String
  public var span: Span

  public init(text: String, span: Span) {
    self.text = text
    self.span = span
  }
}

/// Stages joined by `|`.
public struct Pipeline: Sendable {
  public var stages: [Stage]
  public var span: Span

  public enum Stage: Sendable {
    case expression(Expression)
    case command(Command)

    public var span: Span {
      switch self {
      case .expression(let expression): expression.span
      case .command(let command): command.span
      }
    }
  }
}

/// `name argument … --flag value`.
public final class Command: Sendable {
  public let name: Name
  public let arguments: [Expression]
  public let flags: [Flag]
  /// What follows a command that takes words (`set`, `use`, `help`): settings have types of their own.
  public let words: [SettingValue]
  public let span: Span

  init(name: Name, arguments: [Expression], flags: [Flag], words: [SettingValue], span: Span) {
    self.name = name
    self.arguments = arguments
    self.flags = flags
    self.words = words
    self.span = span
  }

  /// The same flags to another command, with other arguments.
  public func redirected(to name: String, _ arguments: [Expression]) -> Command {
    Command(name: Name(text: name, span: self.name.span), arguments: arguments, flags: flags, words: [], span: span)
  }
}

public struct Flag: Sendable {
  public var name: Name
  /// Nil for a switch.
  public var value: SettingValue?
}

/// What follows `set NAME` or `--flag`: a word, a text, a list or an expression in parentheses.
public struct SettingValue: Sendable {
  public var node: Node
  public var span: Span

  public indirect enum Node: Sendable {
    case word(String)
    case list([SettingValue])
    case expression(Expression)
  }
}

public struct Parameter: Sendable {
  public var name: Name
  public var fallback: Expression?
}

public final class PromptDefinition: Sendable {
  public let name: Name
  public let parameters: [Parameter]
  /// One user turn for `= "…"`, else the block's turns in order.
  public let turns: [Turn]

  public struct Turn: Sendable {
    public enum Role: String, Sendable, CaseIterable { case system, user, assistant }
    public var role: Role
    public var text: Expression
  }

  init(name: Name, parameters: [Parameter], turns: [Turn]) {
    self.name = name
    self.parameters = parameters
    self.turns = turns
  }
}

public final class FunctionDefinition: Sendable {
  public let name: Name
  public let parameters: [Parameter]
  public let body: Block

  init(name: Name, parameters: [Parameter], body: Block) {
    self.name = name
    self.parameters = parameters
    self.body = body
  }
}
