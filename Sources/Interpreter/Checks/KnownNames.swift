import Formats
import Language

/// What a check knows of the names outside of rows: from the session's scope when a line is run, from the text when it is only read.
protocol KnownNames {
  /// Whether a name stands for anything.
  func isKnown(_ name: String) -> Bool
  /// Of the rows that a variable holds; nil where it is not known.
  func shape(_ name: String) -> RowShape?
  /// The parameters of a prompt of this name.
  func parameters(_ name: String) -> [Parameter]?
  /// The text that a variable holds.
  func text(_ name: String) -> String?
  /// Of the rows in a file.
  ///
  /// - Throws: where it cannot be read.
  func rows(inFile path: String, _ command: Command) throws(FileProblem) -> RowShape?
  /// Why rows cannot be written to a file now.
  func problem(writing path: String) -> String?
  /// The columns of the table in a file that rows would be added to; empty where it is none, or nothing is known of it.
  func columns(addingTo path: String, _ format: FileFormat) -> [String]
  var all: Set<String> { get }
}

/// What can be seen where a line is run.
struct ScopeNames: KnownNames {
  let context: Context

  func isKnown(_ name: String) -> Bool { context.scope.lookup(name) != nil }
  func shape(_ name: String) -> RowShape? { context.scope.lookup(name).flatMap { RowShape($0) } }
  func parameters(_ name: String) -> [Parameter]? {
    if case .prompt(let prompt)? = context.scope.lookup(name) { prompt.definition.parameters } else { nil }
  }
  func text(_ name: String) -> String? { if case .text(let text)? = context.scope.lookup(name) { text } else { nil } }
  func rows(inFile path: String, _ command: Command) throws(FileProblem) -> RowShape? {
    try RowShape(file: path, command, context.session.world.files)
  }
  func problem(writing path: String) -> String? { context.session.world.files.problem(writing: path) }
  func columns(addingTo path: String, _ format: FileFormat) -> [String] {
    // What is wrong with the file `save` tells, which opens it before anything is sent.
    let files = context.session.world.files
    return files.ending(path, 1).isEmpty ? [] : (try? TableOnFile.columns(path, format, files)) ?? []
  }
  var all: Set<String> { context.scope.names }
}

/// What a text says of its names, before any of it runs.
struct WrittenNames: KnownNames {
  var known: Set<String>
  /// Of variables that the text gives a value once.
  var shapes: (String) -> RowShape?
  var prompts: [String: [Parameter]]
  let session: Session
  /// Whether the text itself may write a file before it reads it.
  var mayWrite: (String) -> Bool

  func isKnown(_ name: String) -> Bool { known.contains(name) }
  func shape(_ name: String) -> RowShape? { shapes(name) }
  func parameters(_ name: String) -> [Parameter]? { prompts[name] }
  func text(_ name: String) -> String? { nil }
  /// A file that is not there may be by the time that it is read.
  func rows(inFile path: String, _ command: Command) -> RowShape? {
    mayWrite(path) ? nil : try? RowShape(file: path, command, session.world.files)
  }
  func problem(writing path: String) -> String? { nil }
  func columns(addingTo path: String, _ format: FileFormat) -> [String] { [] }
  var all: Set<String> { known }
}
