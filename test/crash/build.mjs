/**
 * Compiles the sources once more so that every access to memory goes through steps.ts, where it is counted and may be
 * the last one: element loads and stores of typed arrays, their methods that touch bytes, Atomics, the addon, node:fs.
 * The compiler's types say what is a typed array; at run time only those over shared memory count.
 */
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import ts from 'typescript';

const ROOT = path.join(import.meta.dirname, '../..');
const ARRAYS = /^(?:(?:Big)?(?:Int|Uint|Float)(?:8|16|32|64)(?:Clamped)?Array|Buffer)$/;
/** Methods that touch no bytes. */
const SILENT = new Set(['subarray', 'keys', 'entries', 'values']);
/** @type {ReadonlyMap<ts.SyntaxKind, ts.BinaryOperator>} */
const COMPOUND = new Map([
  [ts.SyntaxKind.PlusEqualsToken, ts.SyntaxKind.PlusToken],
  [ts.SyntaxKind.MinusEqualsToken, ts.SyntaxKind.MinusToken],
  [ts.SyntaxKind.BarEqualsToken, ts.SyntaxKind.BarToken],
  [ts.SyntaxKind.AmpersandEqualsToken, ts.SyntaxKind.AmpersandToken],
  [ts.SyntaxKind.CaretEqualsToken, ts.SyntaxKind.CaretToken],
]);
const TIMERS = new Set(['setTimeout', 'setImmediate']);

/** Both builds in one directory, with these programs. Sources may be replaced in them. */
class Build {
  #directory;
  /** @type {ts.CompilerOptions} */
  #options;
  /** @type {string[]} */
  #files;
  /** @type {ts.Program | undefined} */
  #program;
  /** Texts in place of those of files. @type {Map<string, string>} */
  #replaced = new Map();

  /**
   * @param {string} directory to be filled: `dist/` is the usual build, `mortal/` the counted one if it is asked for, with
   * `crash/`, these programs
   * @param {boolean} isCounted
   */
  constructor(directory, isCounted = true) {
    this.#directory = directory;
    for (const name of ['node_modules', 'build', 'prebuilds'])
      symlinkSync(path.join(ROOT, name), path.join(directory, name));
    cpSync(path.join(ROOT, 'dist'), path.join(directory, 'dist'), { recursive: true });
    copyFileSync(path.join(ROOT, 'package.json'), path.join(directory, 'package.json'));
    const config = ts.getParsedCommandLineOfConfigFile(path.join(ROOT, 'tsconfig.json'), undefined, {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
        throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
      },
    });
    if (config === undefined) throw new Error('no tsconfig.json');
    const outDir = path.join(directory, 'mortal');
    this.#options = {
      ...config.options,
      outDir,
      incremental: false,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
    };
    delete this.#options.tsBuildInfoFile;
    this.#files = config.fileNames.filter((file) => !file.includes('/src/cli/'));
    if (!isCounted) return;
    this.#program = ts.createProgram(this.#files, this.#options);
    this.#emit(undefined);
    writeFileSync(
      path.join(outDir, 'steps.js'),
      transpile(readFileSync(path.join(import.meta.dirname, 'steps.ts'), 'utf8')),
    );
    compilePrograms(path.join(directory, 'crash'));
  }

  /** @param {ts.SourceFile | undefined} file */
  #emit(file) {
    if (this.#program === undefined) throw new Error('there is no counted build');
    const checker = this.#program.getTypeChecker();
    this.#program.emit(file, undefined, undefined, false, {
      before: [(context) => (one) => count(one, context, checker)],
    });
  }

  /**
   * Compiles another text in place of a file's, in both builds or in the usual one only.
   * @param {string} file below src/ @param {string} text @param {boolean} isCounted
   */
  replace(file, text, isCounted) {
    writeFileSync(path.join(this.#directory, 'dist', file.replace(/\.ts$/, '.js')), transpile(text));
    if (isCounted) this.#replaceCounted(path.join(ROOT, 'src', file), text);
  }

  /** @param {string} source @param {string} text */
  #replaceCounted(source, text) {
    this.#replaced.set(source, text);
    const host = ts.createCompilerHost(this.#options);
    const readFile = host.readFile.bind(host);
    host.readFile = (name) => this.#replaced.get(path.resolve(name)) ?? readFile(name);
    this.#program = ts.createProgram(this.#files, this.#options, host, this.#program);
    this.#emit(this.#program.getSourceFile(source));
  }
}

/** @param {string} directory @param {boolean} [isCounted] */
export const makeBuild = (directory, isCounted) => new Build(directory, isCounted);

/** @param {string} text */
function transpile(text) {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

/** @param {string} outDir */
function compilePrograms(outDir) {
  mkdirSync(outDir, { recursive: true });
  const here = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  for (const file of here) {
    const text = readFileSync(path.join(import.meta.dirname, file), 'utf8');
    writeFileSync(path.join(outDir, file.replace(/\.ts$/, '.js')), transpile(text));
  }
}

/** @param {ts.SourceFile} file @param {ts.TransformationContext} context @param {ts.TypeChecker} checker */
function count(file, context, checker) {
  const { factory } = context;
  const fsNames = namesFrom(file, 'node:fs');
  const hasNative = !file.fileName.endsWith('/src/native.ts');
  /** @param {string} name @param {readonly ts.Expression[]} given */
  const step = (name, given) =>
    factory.createCallExpression(
      factory.createPropertyAccessExpression(factory.createIdentifier('__steps'), name),
      undefined,
      given,
    );
  /** @param {ts.Node} node */
  const expression = (node) => /** @type {ts.Expression} */ (ts.visitNode(node, visit));
  /** @param {ts.Node} node */
  const isArray = (node) => {
    const type = checker.getTypeAtLocation(node);
    const types = type.isUnion() ? type.types : [type];
    return types.some((one) => ARRAYS.test((one.getSymbol() ?? checker.getApparentType(one).getSymbol())?.name ?? ''));
  };
  /** @param {ts.Node} node @returns {node is ts.ElementAccessExpression} */
  const isElement = (node) => ts.isElementAccessExpression(node) && isArray(node.expression);
  /** @param {ts.NodeArray<ts.Expression>} given */
  const list = (given) => factory.createArrayLiteralExpression(given.map(expression));

  /** @param {ts.BinaryExpression} node @param {ts.ElementAccessExpression} left */
  function assignment({ operatorToken: { kind }, right }, left) {
    const at = [expression(left.expression), expression(left.argumentExpression)];
    if (kind === ts.SyntaxKind.EqualsToken) return step('set', [...at, expression(right)]);
    const operator = COMPOUND.get(kind);
    if (operator === undefined)
      throw new Error(`an assignment of an unknown kind in ${file.fileName}: ${left.getText()}`);
    const before = factory.createIdentifier('before');
    const value = factory.createBinaryExpression(before, operator, expression(right));
    const parameter = factory.createParameterDeclaration(undefined, undefined, 'before');
    return step('change', [
      ...at,
      factory.createArrowFunction(undefined, undefined, [parameter], undefined, undefined, value),
    ]);
  }

  /** @param {ts.CallExpression} node */
  function call(node) {
    const { expression: callee } = node;
    if (ts.isIdentifier(callee)) {
      if (TIMERS.has(callee.text)) {
        const [callback, ...rest] = node.arguments.map(expression);
        return factory.createCallExpression(callee, undefined, [step('later', [callback]), ...rest]);
      }
      const imported = fsNames.get(callee.text);
      if (imported === undefined || !imported.endsWith('Sync')) return undefined;
      return step('system', [
        factory.createStringLiteral(imported),
        callee,
        factory.createIdentifier('undefined'),
        list(node.arguments),
      ]);
    }
    if (!ts.isPropertyAccessExpression(callee) || callee.questionDotToken !== undefined) return undefined;
    const name = factory.createStringLiteral(callee.name.text);
    const owner = callee.expression;
    if (ts.isIdentifier(owner) && owner.text === 'Atomics')
      return step('atomic', [name, ...node.arguments.map(expression)]);
    if (hasNative && ts.isIdentifier(owner) && owner.text === 'native') {
      return step('system', [
        name,
        factory.createPropertyAccessExpression(owner, callee.name),
        owner,
        list(node.arguments),
      ]);
    }
    if (SILENT.has(callee.name.text) || !isArray(owner)) return undefined;
    return step('method', [expression(owner), name, list(node.arguments)]);
  }

  /** @param {ts.Node} node @returns {ts.Node} */
  function visit(node) {
    if (ts.isBinaryExpression(node) && isElement(node.left) && isAssignment(node)) return assignment(node, node.left);
    if ((ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) && isElement(node.operand)) {
      const { expression: array, argumentExpression: index } = node.operand;
      const one = factory.createNumericLiteral(1);
      const bump = ts.isPostfixUnaryExpression(node) ? 'bumpAfter' : 'bump';
      const at = [expression(array), expression(index)];
      if (node.operator === ts.SyntaxKind.PlusPlusToken) return step(bump, [...at, one]);
      if (node.operator === ts.SyntaxKind.MinusMinusToken) return step(bump, [...at, factory.createPrefixMinus(one)]);
    }
    if (isElement(node)) return step('get', [expression(node.expression), expression(node.argumentExpression)]);
    if (ts.isCallExpression(node)) return call(node) ?? ts.visitEachChild(node, visit, context);
    return ts.visitEachChild(node, visit, context);
  }

  const depth = path.relative(path.dirname(file.fileName), path.join(ROOT, 'src')) || '.';
  const clause = factory.createImportClause(
    undefined,
    undefined,
    factory.createNamespaceImport(factory.createIdentifier('__steps')),
  );
  const imported = factory.createImportDeclaration(
    undefined,
    clause,
    factory.createStringLiteral(`./${depth}/steps.js`),
  );
  const statements = file.statements.map((statement) => /** @type {ts.Statement} */ (ts.visitNode(statement, visit)));
  return factory.updateSourceFile(file, [imported, ...statements]);
}

/** @param {ts.BinaryExpression} node */
const isAssignment = ({ operatorToken: { kind } }) =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;

/** Names that a file imports from a module, by what it calls them. @param {ts.SourceFile} file @param {string} module */
function namesFrom(file, module) {
  /** @type {Map<string, string>} */
  const names = new Map();
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (statement.moduleSpecifier.text !== module || bindings === undefined || !ts.isNamedImports(bindings)) continue;
    for (const { name, propertyName } of bindings.elements) names.set(name.text, (propertyName ?? name).text);
  }
  return names;
}
