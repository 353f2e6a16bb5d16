/*
 * Runs in the page that render.py opens, beside bpmn-js's viewer (BpmnJS).
 * Returns the diagram as a picture to publish: on white (GitHub's dark mode), as large as the diagram,
 * without what only an editor needs, and the same text for the same diagram.
 */
async function draw(diagram) {
    const MARGIN = 20; // px
    const viewer = new BpmnJS({ container: document.body });
    await viewer.importXML(diagram);

    // From the shapes' bounds, not from the drawn text: the size must not depend on the machine's fonts.
    const shapes = viewer.get('elementRegistry').filter(element => element.width !== undefined);
    const x = Math.min(...shapes.map(shape => shape.x)) - MARGIN;
    const y = Math.min(...shapes.map(shape => shape.y)) - MARGIN;
    const width = Math.max(...shapes.map(shape => shape.x + shape.width)) + MARGIN - x;
    const height = Math.max(...shapes.map(shape => shape.y + shape.height)) + MARGIN - y;

    const { svg } = await viewer.saveSVG();
    const picture = new DOMParser().parseFromString(svg, 'image/svg+xml');
    const root = picture.documentElement;
    root.querySelectorAll('.djs-hit').forEach(target => target.remove());

    const paper = picture.createElementNS(root.namespaceURI, 'rect');
    Object.entries({ x, y, width, height, rx: 8, fill: 'white' }).forEach(([ name, value ]) => paper.setAttribute(name, value));
    const title = picture.createElementNS(root.namespaceURI, 'title');
    title.textContent = viewer.get('canvas').getRootElement().businessObject.name;
    root.prepend(title, paper);
    Object.entries({ width, height, viewBox: [ x, y, width, height ].join(' '), role: 'img' })
        .forEach(([ name, value ]) => root.setAttribute(name, value));

    // bpmn-js gives its arrow heads random ids.
    const arrows = [ ...root.querySelectorAll('marker') ].map(marker => marker.id);
    return arrows
        .reduce((text, id, index) => text.replaceAll(id, `arrow-${index + 1}`), new XMLSerializer().serializeToString(picture))
        .replaceAll('><g ', '>\n<g ') + '\n'; // a line per group: readable changes
}
